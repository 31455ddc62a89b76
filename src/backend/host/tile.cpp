#include "tile.h"

struct TileCall {
  i64 depth;
  const char* a;
  i64 row, col;
  const float* b;
  i64 b_row;
  float* c;
  i64 ldc, cols;
  bool accumulate;
  const float* bias;
  float scale;
};

template <bool PAIRS>
static inline vec multiply_add(float s, vec b, vec acc) {
#if defined(__AVX512BF16__)
  if constexpr (PAIRS) return (vec)_mm512_dpbf16_ps((__m512)acc, (__m512bh)(vec{} + s), (__m512bh)b);
#endif
  return acc + s * b;
}

// PACKED: both operands are, so that all distances in memory are known here.
template <int ROWS, int VECS, bool PAIRS, bool PACKED>
static void tile(const TileCall& t) {
  constexpr int WIDTH = VECS * LANES;
  vec acc[ROWS][VECS];
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++)
#pragma GCC unroll 2
    for (int v = 0; v < VECS; v++) acc[m][v] = vec{};
  if (t.accumulate)
#pragma GCC unroll 16
    for (int m = 0; m < ROWS; m++) __builtin_prefetch(t.c + m * t.ldc, 1), __builtin_prefetch(t.c + m * t.ldc + LANES, 1);
  const char* a = t.a;
  const float* b = t.b;
  const i64 row = PACKED ? 4 : t.row, col = PACKED ? 4 * ROWS : t.col, b_row = PACKED ? VECS * LANES : t.b_row;
  for (i64 k = t.depth; k > 0; k--, a += col, b += b_row) {
    vec bk[VECS];
#pragma GCC unroll 2
    for (int v = 0; v < VECS; v++) bk[v] = load(b + v * LANES);
#pragma GCC unroll 16
    for (int m = 0; m < ROWS; m++) {
      const float s = *(const word_unaligned*)(a + m * row);
#pragma GCC unroll 2
      for (int v = 0; v < VECS; v++) acc[m][v] = multiply_add<PAIRS>(s, bk[v], acc[m][v]);
    }
  }
  if (t.cols == WIDTH && !t.bias && t.scale == 1) {
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
  // The general epilogue: scale, bias, and a last vector that may be partly outside of C.
  constexpr int LAST = (VECS - 1) * LANES;
  const i64 rest = t.cols - LAST;
  vec bias[VECS];
#pragma GCC unroll 2
  for (int v = 0; v < VECS; v++) bias[v] = t.bias ? load_part(t.bias + v * LANES, v * LANES < LAST ? LANES : rest) : vec{};
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++) {
    float* c = t.c + m * t.ldc;
    if (VECS == 2) store(c, acc[m][0] * t.scale + bias[0] + (t.accumulate ? load(c) : vec{}));
    store_part(c + LAST, acc[m][VECS - 1] * t.scale + bias[VECS - 1] + (t.accumulate ? load_part(c + LAST, rest) : vec{}), rest);
  }
}

typedef void (*Tile)(const TileCall&);
template <bool PAIRS, bool PACKED, int... I>
static Tile tile_of(i64 rows, bool wide, std::integer_sequence<int, I...>) {
  static constexpr Tile narrow[] = {tile<I + 1, 1, PAIRS, PACKED>...}, full[] = {tile<I + 1, 2, PAIRS, PACKED>...};
  return (wide ? full : narrow)[rows - 1];
}

static Tile choose_tile(i64 rows, bool wide, bool pairs, bool packed) {
  constexpr auto heights = std::make_integer_sequence<int, MR>();
  if (pairs) return packed ? tile_of<PAIRED, true>(rows, wide, heights) : tile_of<PAIRED, false>(rows, wide, heights);
  return packed ? tile_of<false, true>(rows, wide, heights) : tile_of<false, false>(rows, wide, heights);
}

// What is done with finished numbers, while they are in L1.
static void finish(float* c, i64 ldc, i64 rows, i64 cols, const Target& out, i64 m0, i64 n0) {
  for (i64 m = 0; m < rows; m++, c += ldc) {
    if (out.gelu)
#pragma omp simd
      for (i64 n = 0; n < cols; n++) c[n] = gelu_(c[n]);
    if (!out.rounded) continue;
    bf16* rounded = out.rounded + (m0 + m) * out.ld_rounded + n0;
    i64 n = 0;
    for (; n + LANES <= cols; n += LANES) store(rounded + n, load(c + n));
    if (n < cols) store_part(rounded + n, load_part(c + n, cols - n), cols - n);
  }
}

void multiply_panels(i64 rows, i64 cols, i64 depth, Rows a, Panels b, const Target& out) {
  TileCall call = {};
  call.depth = depth;
  call.ldc = out.ldc ? out.ldc : NR;
  call.accumulate = out.accumulate;
  call.scale = out.scale;
  for (i64 n = 0; n < cols; n += NR) {
    const bool wide = b.cols - n > LANES;
    call.b = b.row ? b.data + n : b.data + n * b.depth;
    call.b_row = b.row ? b.row : wide ? NR : LANES;
    call.cols = least(cols - n, wide ? NR : LANES);
    call.bias = out.bias ? out.bias + n : nullptr;
    for (i64 m = 0; m < rows; m += MR) {
      const i64 height = least(rows - m, MR);
      call.a = (const char*)a.data + m * (a.row ? a.row : 4 * depth);
      call.row = a.row ? a.row : 4;
      call.col = a.row ? a.col : 4 * height;
      call.c = out.ldc ? out.c + m * out.ldc + n : out.c;
      choose_tile(height, wide, b.pairs, !a.row && !b.row)(call);
      if (out.gelu || out.rounded) finish(call.c, call.ldc, height, call.cols, out, m, n);
    }
  }
}
