// The innermost tile of every matrix product on the host, and the packing it reads.
//
// A tile is `rows` x (1 or 2) * LANES fp32 accumulators that live in registers. Each element of C is one chain of fused
// multiply-adds over k in order (in blocks fixed by the shape), so the result does not depend on how tiles or threads
// are cut.
//
// bf16 comes in two ways. Widened while it is packed, it is then like any float. Or, where the processor multiplies bf16
// itself (PAIRED), as words of two neighbours in k, which one instruction multiplies and adds (denormals count as 0 there):
// `depth` then counts words.
#pragma once
#include "lanes.h"

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int MR = 12;
#elif defined(__AVX__)
constexpr int MR = 6;
#else
constexpr int MR = 4;
#endif
constexpr int NR = 2 * LANES;

#if defined(__AVX512BF16__)
constexpr bool PAIRED = true;
#else
constexpr bool PAIRED = false;
#endif

// a(m, k) = data[m * row + k * col]
template <class T>
struct Matrix {
  const T* data;
  i64 row, col;
  Matrix at(i64 m, i64 k) const { return {data + m * row + k * col, row, col}; }
};

// A as a tile reads it: words `row` bytes apart in m and `col` bytes apart in k. `row` = 0: as pack_rows lays it out.
struct Rows {
  const void* data;
  i64 row = 0, col = 0;
};
static inline Rows rows_in_place(const float* data, i64 row, i64 col) { return {data, 4 * row, 4 * col}; }

// B as pack_columns lays it out: panels of NR columns, each `depth` x NR; a last one of <= LANES columns is LANES wide.
// Or B in place (`row` > 0): rows of contiguous columns `row` floats apart, `cols` a multiple of LANES.
struct Panels {
  const float* data;
  i64 depth, cols, row = 0;
  bool pairs = false;
};

// Where a product goes: C = activation(scale * product (+ bias of its columns) (+ C)).
struct Target {
  float* c;
  // 0: one tile that all tiles use in turn, for a product that only `rounded` keeps.
  i64 ldc;
  bool accumulate = false;
  const float* bias = nullptr;
  float scale = 1;
  bool gelu = false;
  // Finished tiles also go here, if not null.
  bf16* rounded = nullptr;
  i64 ld_rounded = 0;
};

template <class T>
void pack_columns(i64 depth, i64 cols, Matrix<T> b, float* packed);

// A in panels of MR rows, each depth x height: neighbours in m become neighbours in memory. Writes up to LANES floats
// behind the last panel.
template <class T>
void pack_rows(i64 rows, i64 depth, Matrix<T> a, float* packed);

// The same in words of two neighbours in k, (depth + 1) / 2 of them; an odd last one is completed with 0.
void pack_column_pairs(i64 depth, i64 cols, Matrix<bf16> b, float* packed);
void pack_row_pairs(i64 rows, i64 depth, Matrix<bf16> a, float* packed);

// C[rows x cols] over the first `depth` rows of the panels. `cols` may be padded to LANES: C's padding then gets the
// products with the zeros of the panel's padding.
void multiply_panels(i64 rows, i64 cols, i64 depth, Rows a, Panels b, const Target& out);

// C[rows x cols] = A B where both lie along k: a.col = 1, b.row = 1. For few rows of A: B is read once, unpacked.
// A result that must be rounded goes to `rounded` alone.
template <class T>
void multiply_dots(i64 rows, i64 cols, i64 depth, Matrix<T> a, Matrix<T> b, const Target& out);

DEVICE float gelu_(float x) { return 0.5f * x * (1.0f + erf_(x * 0.70710678f)); }
