#include "tile.h"

// a0 b0 a1 b1 .. of the lower (HIGH = 0) or upper halves.
template <int HIGH, int... I>
static inline vec interleave(vec a, vec b, std::integer_sequence<int, I...>) {
  return SHUFFLE(a, b, (I / 2 + HIGH * LANES / 2 + (I % 2) * LANES)...);
}

// dst[k * to + j] = src[j * from + k] for k < LANES, j < count; stores LANES wide, so `dst` needs that room behind it.
// log2(LANES) rounds of a perfect shuffle of all rows transpose a square block in registers.
template <class Load>
static inline void transpose_block(i64 count, float* dst, i64 to, Load row) {
  constexpr auto lanes = std::make_integer_sequence<int, LANES>();
  vec rows[LANES], next[LANES];
#pragma GCC unroll 16
  for (int j = 0; j < LANES; j++) rows[j] = j < count ? row(j) : vec{};
#pragma GCC unroll 4
  for (int round = 1; round < LANES; round *= 2) {
#pragma GCC unroll 16
    for (int j = 0; j < LANES / 2; j++) {
      next[2 * j] = interleave<0>(rows[j], rows[j + LANES / 2], lanes);
      next[2 * j + 1] = interleave<1>(rows[j], rows[j + LANES / 2], lanes);
    }
#pragma GCC unroll 16
    for (int j = 0; j < LANES; j++) rows[j] = next[j];
  }
#pragma GCC unroll 16
  for (int k = 0; k < LANES; k++) store(dst + k * to, rows[k]);
}

// dst[k * to + j] = src(j, k) for j < count, k < depth. Each of the `depth` stores is LANES wide and spills zeros behind
// `count`.
template <class T>
static void pack_lines(i64 count, i64 depth, const T* src, i64 line, i64 step, float* dst, i64 to) {
  i64 k = 0;
  if (step == 1)
    for (; k + LANES <= depth; k += LANES)
      transpose_block(count, dst + k * to, to, [=](i64 j) { return load(src + j * line + k); });
  for (; k < depth; k++) {
    for (i64 j = 0; j < count; j++) dst[k * to + j] = src[j * line + k * step];
    for (i64 j = count; j < LANES; j++) dst[k * to + j] = 0;
  }
}

static inline float word(u16 low, u16 high) { return float_of_bits(low | (u32)high << 16); }

// The same with words of two neighbours in k, which lie side by side.
static void pack_line_pairs(i64 count, i64 depth, const bf16* src, i64 line, float* dst, i64 to) {
  i64 k = 0;
  for (; k + 2 * LANES <= depth; k += 2 * LANES)
    transpose_block(count, dst + k / 2 * to, to, [=](i64 j) { return load((const float*)(src + j * line + k)); });
  for (; k < depth; k += 2) {
    float* at = dst + k / 2 * to;
    for (i64 j = 0; j < count; j++) at[j] = word(src[j * line + k].bits, k + 1 < depth ? src[j * line + k + 1].bits : 0);
    for (i64 j = count; j < LANES; j++) at[j] = 0;
  }
}

// Words of two rows `row` apart, of which `both` says whether there is a second.
static inline vec pair_rows(const bf16* src, i64 row, bool both, i64 count) {
  const vec_half low = load_halves(src, count), high = both ? load_halves(src + row, count) : vec_half{};
  return (vec)(widen_bits(low) | widen_bits(high) << 16);
}

// Rows of B that are read a few at a time along all columns: whole pages of memory, not one line of each.
constexpr i64 ROWS_AT_ONCE = 16;

// Columns n.. of `height` words from row `k`, where columns lie side by side: `row(k, n, count)` loads up to LANES of them.
template <class Row>
static void pack_side_by_side(i64 height, i64 cols, float* packed, Row row) {
  for (i64 k0 = 0; k0 < height; k0 += ROWS_AT_ONCE)
    for (i64 n = 0; n < cols; n += NR) {
      const i64 width = least(cols - n, NR), last = least(k0 + ROWS_AT_ONCE, height);
      float* panel = packed + n * height;
      if (width <= LANES) {
        for (i64 k = k0; k < last; k++) store(panel + k * LANES, row(k, n, width));
      } else {
        for (i64 k = k0; k < last; k++) {
          store(panel + k * NR, row(k, n, LANES));
          store(panel + k * NR + LANES, row(k, n + LANES, width - LANES));
        }
      }
    }
}

template <class T>
void pack_columns(i64 depth, i64 cols, Matrix<T> b, float* packed) {
  if (b.col == 1)
    return pack_side_by_side(depth, cols, packed, [=](i64 k, i64 n, i64 count) { return load_part(b.data + k * b.row + n, count); });
  for (i64 n = 0; n < cols; n += NR) {
    const i64 width = least(cols - n, NR), padded = width > LANES ? NR : LANES;
    for (i64 j = 0; j < padded; j += LANES)
      pack_lines(least(width - j, LANES), depth, b.data + (n + j) * b.col, b.col, b.row, packed + n * depth + j, padded);
  }
}

void pack_column_pairs(i64 depth, i64 cols, Matrix<bf16> b, float* packed) {
  const i64 words = (depth + 1) / 2;
  if (b.row != 1)
    return pack_side_by_side(words, cols, packed, [=](i64 k, i64 n, i64 count) {
      return pair_rows(b.data + 2 * k * b.row + n, b.row, 2 * k + 1 < depth, count);
    });
  for (i64 n = 0; n < cols; n += NR) {
    const i64 width = least(cols - n, NR), padded = width > LANES ? NR : LANES;
    for (i64 j = 0; j < padded; j += LANES)
      pack_line_pairs(least(width - j, LANES), depth, b.data + (n + j) * b.col, b.col, packed + n * words + j, padded);
  }
}

// The same for rows of A, that lie side by side.
template <class Row>
static void pack_rows_side_by_side(i64 rows, i64 width, float* packed, Row row) {
  for (i64 k0 = 0; k0 < width; k0 += ROWS_AT_ONCE)
    for (i64 m = 0; m < rows; m += MR) {
      const i64 height = least(rows - m, MR), last = least(k0 + ROWS_AT_ONCE, width);
      for (i64 k = k0; k < last; k++)
        for (i64 i = 0; i < height; i += LANES) {
          const i64 count = least(height - i, LANES);
          store_part(packed + m * width + k * height + i, row(k, m + i, count), count);
        }
    }
}

// Backwards: a narrow last group of lines spills into its neighbours, which are written after it.
template <class T>
void pack_rows(i64 rows, i64 depth, Matrix<T> a, float* packed) {
  if (a.row == 1)
    return pack_rows_side_by_side(rows, depth, packed, [=](i64 k, i64 m, i64 count) { return load_part(a.data + k * a.col + m, count); });
  for (i64 m = 0; m < rows; m += MR) {
    const i64 height = least(rows - m, MR);
    for (i64 i = round_up(height, LANES) - LANES; i >= 0; i -= LANES)
      pack_lines(least(height - i, LANES), depth, a.data + (m + i) * a.row, a.row, a.col, packed + m * depth + i, height);
  }
}

void pack_row_pairs(i64 rows, i64 depth, Matrix<bf16> a, float* packed) {
  const i64 words = (depth + 1) / 2;
  if (a.col != 1)
    return pack_rows_side_by_side(rows, words, packed, [=](i64 k, i64 m, i64 count) {
      return pair_rows(a.data + 2 * k * a.col + m, a.col, 2 * k + 1 < depth, count);
    });
  for (i64 m = 0; m < rows; m += MR) {
    const i64 height = least(rows - m, MR);
    for (i64 i = round_up(height, LANES) - LANES; i >= 0; i -= LANES)
      pack_line_pairs(least(height - i, LANES), depth, a.data + (m + i) * a.row, a.row, packed + m * words + i, height);
  }
}

template void pack_columns(i64, i64, Matrix<float>, float*);
template void pack_columns(i64, i64, Matrix<bf16>, float*);
template void pack_rows(i64, i64, Matrix<float>, float*);
template void pack_rows(i64, i64, Matrix<bf16>, float*);
