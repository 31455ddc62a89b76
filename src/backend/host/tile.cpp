#include "tile.h"

struct TileCall {
  i64 depth;
  const float* a;
  i64 row, col;
  const float* b;
  i64 b_row;
  float* c;
  i64 ldc, cols;
  bool accumulate;
  const float* bias;
};

template <int ROWS, int VECS>
static void tile(const TileCall& t) {
  constexpr int WIDTH = VECS * LANES;
  vec acc[ROWS][VECS];
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++)
#pragma GCC unroll 2
    for (int v = 0; v < VECS; v++) acc[m][v] = vec{};
  const float *a = t.a, *b = t.b;
  const i64 row = t.row, col = t.col, b_row = t.b_row;
  for (i64 k = t.depth; k > 0; k--, a += col, b += b_row) {
    vec bk[VECS];
#pragma GCC unroll 2
    for (int v = 0; v < VECS; v++) bk[v] = load(b + v * LANES);
#pragma GCC unroll 16
    for (int m = 0; m < ROWS; m++) {
      const float s = a[m * row];
#pragma GCC unroll 2
      for (int v = 0; v < VECS; v++) acc[m][v] += s * bk[v];
    }
  }
  if (t.cols == WIDTH && !t.bias) {
    if (t.accumulate) {
#pragma GCC unroll 16
      for (int m = 0; m < ROWS; m++)
#pragma GCC unroll 2
        for (int v = 0; v < VECS; v++) acc[m][v] += load(t.c + m * t.ldc + v * LANES);
    }
#pragma GCC unroll 16
    for (int m = 0; m < ROWS; m++)
#pragma GCC unroll 2
      for (int v = 0; v < VECS; v++) store(t.c + m * t.ldc + v * LANES, acc[m][v]);
    return;
  }
  // The general epilogue: bias, and a last vector that may be partly outside of C.
  constexpr int LAST = (VECS - 1) * LANES;
  const i64 rest = t.cols - LAST;
  vec bias[VECS];
#pragma GCC unroll 2
  for (int v = 0; v < VECS; v++) bias[v] = t.bias ? load_part(t.bias + v * LANES, v * LANES < LAST ? LANES : rest) : vec{};
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++) {
    float* c = t.c + m * t.ldc;
    if (VECS == 2) store(c, acc[m][0] + bias[0] + (t.accumulate ? load(c) : vec{}));
    store_part(c + LAST, acc[m][VECS - 1] + bias[VECS - 1] + (t.accumulate ? load_part(c + LAST, rest) : vec{}), rest);
  }
}

typedef void (*Tile)(const TileCall&);
template <int... I>
static Tile choose_tile(i64 rows, bool wide, std::integer_sequence<int, I...>) {
  static constexpr Tile narrow[] = {tile<I + 1, 1>...}, full[] = {tile<I + 1, 2>...};
  return (wide ? full : narrow)[rows - 1];
}

void multiply_panels(i64 rows, i64 cols, i64 depth, Matrix a, bool a_packed, Panels b, Target out) {
  TileCall call = {};
  call.depth = depth;
  call.ldc = out.ldc;
  call.accumulate = out.accumulate;
  for (i64 n = 0; n < cols; n += NR) {
    const bool wide = b.cols - n > LANES;
    call.b = b.row ? b.data + n : b.data + n * b.depth;
    call.b_row = b.row ? b.row : wide ? NR : LANES;
    call.cols = least(cols - n, wide ? NR : LANES);
    call.bias = out.bias ? out.bias + n : nullptr;
    for (i64 m = 0; m < rows; m += MR) {
      const i64 height = least(rows - m, MR);
      call.a = a_packed ? a.data + m * depth : a.data + m * a.row;
      call.row = a_packed ? 1 : a.row;
      call.col = a_packed ? height : a.col;
      call.c = out.c + m * out.ldc + n;
      choose_tile(height, wide, std::make_integer_sequence<int, MR>())(call);
    }
  }
}

// ROWS lines of A times four of B; lines past the end repeat the last one and are not stored.
template <int ROWS>
static void dots(i64 cols, i64 depth, const float* const* a, Matrix b, i64 n, i64 rows, float* c, const Target& out) {
  const float* lines[4];
  for (int j = 0; j < 4; j++) lines[j] = b.data + least(n + j, cols - 1) * b.col;
  vec acc[ROWS][4] = {};
  for (i64 k = 0; k < depth; k += LANES) {
    const i64 count = least(depth - k, LANES);
    vec bk[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) bk[j] = count == LANES ? load(lines[j] + k) : load_part(lines[j] + k, count);
#pragma GCC unroll 4
    for (int m = 0; m < ROWS; m++) {
      const vec am = count == LANES ? load(a[m] + k) : load_part(a[m] + k, count);
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) acc[m][j] += am * bk[j];
    }
  }
  for (int m = 0; m < least(ROWS, rows); m++)
    for (int j = 0; j < 4 && n + j < cols; j++) {
      float* at = c + m * out.ldc + n + j;
      *at = lane_sum(acc[m][j]) + (out.bias ? out.bias[n + j] : 0.0f) + (out.accumulate ? *at : 0.0f);
    }
}

void multiply_dots(i64 rows, i64 cols, i64 depth, Matrix a, Matrix b, Target out) {
  for (i64 n = 0; n < cols; n += 4)
    for (i64 m = 0; m < rows; m += 4) {
      const i64 height = least(rows - m, 4);
      const float* lines[4];
      for (int i = 0; i < 4; i++) lines[i] = a.data + least(m + i, rows - 1) * a.row;
      (height == 1 ? dots<1> : height == 2 ? dots<2> : dots<4>)(cols, depth, lines, b, n, height, out.c + m * out.ldc, out);
    }
}

// a0 b0 a1 b1 .. of the lower (HIGH = 0) or upper halves.
template <int HIGH, int... I>
static inline vec interleave(vec a, vec b, std::integer_sequence<int, I...>) {
  return SHUFFLE(a, b, (I / 2 + HIGH * LANES / 2 + (I % 2) * LANES)...);
}

// dst[k * to + j] = src[j * from + k] for k < LANES, j < count; stores LANES wide, so `dst` needs that room behind it.
// log2(LANES) rounds of a perfect shuffle of all rows transpose a square block in registers.
static inline void transpose_block(const float* src, i64 from, i64 count, float* dst, i64 to) {
  constexpr auto lanes = std::make_integer_sequence<int, LANES>();
  vec rows[LANES], next[LANES];
#pragma GCC unroll 16
  for (int j = 0; j < LANES; j++) rows[j] = j < count ? load(src + j * from) : vec{};
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
static void pack_lines(i64 count, i64 depth, const float* src, i64 line, i64 step, float* dst, i64 to) {
  i64 k = 0;
  if (step == 1)
    for (; k + LANES <= depth; k += LANES) transpose_block(src + k, line, count, dst + k * to, to);
  for (; k < depth; k++) {
    for (i64 j = 0; j < count; j++) dst[k * to + j] = src[j * line + k * step];
    for (i64 j = count; j < LANES; j++) dst[k * to + j] = 0;
  }
}

void pack_columns(i64 depth, i64 cols, Matrix b, float* packed) {
  for (i64 n = 0; n < cols; n += NR) {
    const i64 width = least(cols - n, NR), padded = width > LANES ? NR : LANES;
    float* panel = packed + n * depth;
    if (b.col != 1) {
      for (i64 j = 0; j < padded; j += LANES)
        pack_lines(least(width - j, LANES), depth, b.data + (n + j) * b.col, b.col, b.row, panel + j, padded);
      continue;
    }
    const float* src = b.data + n;
    if (padded == LANES) {
      for (i64 k = 0; k < depth; k++) store(panel + k * LANES, load_part(src + k * b.row, width));
    } else {
      for (i64 k = 0; k < depth; k++) {
        store(panel + k * NR, load(src + k * b.row));
        store(panel + k * NR + LANES, load_part(src + k * b.row + LANES, width - LANES));
      }
    }
  }
}

void pack_rows(i64 rows, i64 depth, Matrix a, float* packed) {
  for (i64 m = 0; m < rows; m += MR) {
    const i64 height = least(rows - m, MR);
    float* panel = packed + m * depth;
    if (a.row != 1) {
      // Backwards: a narrow last group spills into its neighbours, which are written after it.
      for (i64 i = round_up(height, LANES) - LANES; i >= 0; i -= LANES)
        pack_lines(least(height - i, LANES), depth, a.data + (m + i) * a.row, a.row, a.col, panel + i, height);
      continue;
    }
    for (i64 k = 0; k < depth; k++)
      for (i64 i = 0; i < height; i++) panel[k * height + i] = a.data[m + i + k * a.col];
  }
}
