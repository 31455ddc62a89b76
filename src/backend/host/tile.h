// The innermost tile of every matrix product on the host, and the packing it reads.
//
// A tile is `rows` x (1 or 2) * LANES accumulators that live in registers, written with GCC vector extensions: one text
// serves AVX-512, AVX2, NEON and plain SSE. Each element of C is one chain of fused multiply-adds over k in order (in
// blocks fixed by the shape), so the result does not depend on how tiles or threads are cut.
#pragma once
#include <cstdlib>
#include <cstring>
#include <utility>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

typedef long long i64;

#if defined(__AVX512F__)
constexpr int LANES = 16, MR = 12;
#elif defined(__AVX__)
constexpr int LANES = 8, MR = 6;
#elif defined(__aarch64__)
constexpr int LANES = 4, MR = 12;
#else
constexpr int LANES = 4, MR = 4;
#endif
constexpr int NR = 2 * LANES;

static inline i64 least(i64 a, i64 b) { return a < b ? a : b; }
static inline i64 round_up(i64 value, i64 step) { return (value + step - 1) / step * step; }
static inline i64 pad(i64 columns) { return round_up(columns, LANES); }

typedef float vec __attribute__((vector_size(LANES * 4), may_alias));
typedef float vec_unaligned __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int vec_index __attribute__((vector_size(LANES * 4)));

// Lane i of the result is lane INDEX_i of a followed by b.
#ifdef __clang__
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, vec_index{__VA_ARGS__})
#endif

static inline vec load(const float* p) { return *(const vec_unaligned*)p; }
static inline void store(float* p, vec v) { *(vec_unaligned*)p = v; }

template <int DISTANCE, int... I>
static inline vec swap_lanes(vec v, std::integer_sequence<int, I...>) {
  return SHUFFLE(v, v, (I ^ DISTANCE)...);
}
// Sum and maximum of all lanes by halves; the compiler's own reductions would add them one after another.
template <int DISTANCE = LANES / 2>
static inline float lane_sum(vec v) {
  v += swap_lanes<DISTANCE>(v, std::make_integer_sequence<int, LANES>());
  if constexpr (DISTANCE > 1) return lane_sum<DISTANCE / 2>(v);
  return v[0];
}
template <int DISTANCE = LANES / 2>
static inline float lane_max(vec v) {
  const vec other = swap_lanes<DISTANCE>(v, std::make_integer_sequence<int, LANES>());
  v = v > other ? v : other;
  if constexpr (DISTANCE > 1) return lane_max<DISTANCE / 2>(v);
  return v[0];
}

// The first `count` lanes; the rest read as 0 and are not written.
#if defined(__AVX512F__)
static inline vec load_part(const float* p, i64 count) { return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p); }
static inline void store_part(float* p, vec v, i64 count) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), (__m512)v); }
#else
static inline vec load_part(const float* p, i64 count) {
  vec v = {};
  memcpy(&v, p, count * sizeof(float));
  return v;
}
static inline void store_part(float* p, vec v, i64 count) { memcpy(p, &v, count * sizeof(float)); }
#endif

// Scratch that grows and is kept for the life of its thread: packing never calls malloc in the steady state.
struct Scratch {
  float* data = nullptr;
  i64 capacity = 0;
  float* get(i64 floats) {
    if (floats > capacity) {
      free(data);
      capacity = round_up(floats, 1024);
      data = (float*)aligned_alloc(64, capacity * sizeof(float));
      if (!data) abort();
    }
    return data;
  }
  ~Scratch() { free(data); }
};

// a(m, k) = data[m * row + k * col]
struct Matrix {
  const float* data;
  i64 row, col;
};

// B as `pack_columns` lays it out: panels of NR columns, each `depth` x NR; a last one of <= LANES columns is LANES wide.
// Or B in place (`row` > 0): rows of contiguous columns `row` floats apart, `cols` a multiple of LANES.
struct Panels {
  const float* data;
  i64 depth, cols, row = 0;
};

// Where a product goes: C = product (+ C) (+ bias of its columns).
struct Target {
  float* c;
  i64 ldc;
  bool accumulate;
  const float* bias;
};

void pack_columns(i64 depth, i64 cols, Matrix b, float* packed);

// A in panels of MR rows, each depth x height: neighbours in m become neighbours in memory. Writes up to LANES floats
// behind the last panel.
void pack_rows(i64 rows, i64 depth, Matrix a, float* packed);

// C[rows x cols] = A B where both lie along k: a.col = 1, b.row = 1. For few rows of A: B is read once, unpacked.
void multiply_dots(i64 rows, i64 cols, i64 depth, Matrix a, Matrix b, Target out);

// C[rows x cols] over the first `depth` rows of the panels. `a_packed`: a.data is pack_rows' output of that depth.
// `cols` may be padded to LANES: C's padding then gets the products with the zeros of the panel's padding.
void multiply_panels(i64 rows, i64 cols, i64 depth, Matrix a, bool a_packed, Panels b, Target out);
