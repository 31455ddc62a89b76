#include "tile.h"

#include <utility>

typedef float vec __attribute__((vector_size(LANES * 4), may_alias));
typedef float vec_unaligned __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

static inline vec load(const float* p) { return *(const vec_unaligned*)p; }
static inline void store(float* p, vec v) { *(vec_unaligned*)p = v; }

struct TileCall {
  i64 depth;
  const float* a;
  i64 row, col;
  const float* b;
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
  const i64 row = t.row, col = t.col;
  for (i64 k = t.depth; k > 0; k--, a += col, b += WIDTH) {
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
  float result[ROWS][WIDTH];
#pragma GCC unroll 16
  for (int m = 0; m < ROWS; m++)
#pragma GCC unroll 2
    for (int v = 0; v < VECS; v++) store(result[m] + v * LANES, acc[m][v]);
  for (int m = 0; m < ROWS; m++) {
    float* c = t.c + m * t.ldc;
    for (i64 n = 0; n < t.cols; n++) c[n] = (t.accumulate ? c[n] : 0.0f) + (t.bias ? t.bias[n] : 0.0f) + result[m][n];
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
    call.b = b.data + n * b.depth;
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

void pack_columns(i64 depth, i64 cols, Matrix b, float* packed) {
  for (i64 n = 0; n < cols; n += NR) {
    const i64 width = least(cols - n, NR), padded = width > LANES ? NR : LANES;
    float* panel = packed + n * depth;
    if (b.col == 1) {
      for (i64 k = 0; k < depth; k++) {
        const float* src = b.data + k * b.row + n;
        float* dst = panel + k * padded;
        for (i64 j = 0; j < width; j++) dst[j] = src[j];
        for (i64 j = width; j < padded; j++) dst[j] = 0;
      }
    } else {
      for (i64 j = 0; j < width; j++) {
        const float* src = b.data + (n + j) * b.col;
        for (i64 k = 0; k < depth; k++) panel[k * padded + j] = src[k * b.row];
      }
      for (i64 j = width; j < padded; j++)
        for (i64 k = 0; k < depth; k++) panel[k * padded + j] = 0;
    }
  }
}

void pack_rows(i64 rows, i64 depth, Matrix a, float* packed) {
  for (i64 m = 0; m < rows; m += MR) {
    const i64 height = least(rows - m, MR);
    float* panel = packed + m * depth;
    for (i64 i = 0; i < height; i++) {
      const float* src = a.data + (m + i) * a.row;
      for (i64 k = 0; k < depth; k++) panel[k * height + i] = src[k * a.col];
    }
  }
}
