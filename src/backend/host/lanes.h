// Vectors as the host kernels use them: GCC vector extensions, so that one text serves AVX-512, AVX2, NEON and plain SSE.
#pragma once
#include <cstdlib>
#include <cstring>
#include <utility>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "../kernels/device.h"

#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

typedef float vec __attribute__((vector_size(LANES * 4), may_alias));
typedef int vec_index __attribute__((vector_size(LANES * 4)));
typedef u32 vec_bits __attribute__((vector_size(LANES * 4), may_alias));
typedef u16 vec_half __attribute__((vector_size(LANES * 2), may_alias));
// Numbers in memory: 4-byte words may lie at odd places of a bf16 matrix.
typedef float vec_unaligned __attribute__((vector_size(LANES * 4), aligned(2), may_alias));
typedef u16 half_unaligned __attribute__((vector_size(LANES * 2), aligned(2), may_alias));
typedef float word_unaligned __attribute__((aligned(2), may_alias));

// Lane i of the result is lane INDEX_i of a followed by b.
#ifdef __clang__
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, vec_index{__VA_ARGS__})
#endif

static inline i64 least(i64 a, i64 b) { return a < b ? a : b; }
static inline i64 round_up(i64 value, i64 step) { return (value + step - 1) / step * step; }
static inline i64 pad(i64 columns) { return round_up(columns, LANES); }

static inline vec_bits widen_bits(vec_half half) { return __builtin_convertvector(half, vec_bits); }
static inline vec load(const float* p) { return *(const vec_unaligned*)p; }
static inline vec load(const bf16* p) { return (vec)(widen_bits(*(const half_unaligned*)p) << 16); }
static inline void store(float* p, vec v) { *(vec_unaligned*)p = v; }

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
static inline vec_half load_halves(const bf16* p, i64 count) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  return (vec_half)_mm256_maskz_loadu_epi16((__mmask16)((1u << count) - 1), p);
#endif
  vec_half half = {};
  memcpy(&half, p, count * sizeof(bf16));
  return half;
}
static inline vec load_part(const bf16* p, i64 count) { return (vec)(widen_bits(load_halves(p, count)) << 16); }

// To the nearest, ties to even; a NaN stays one: bf16_bits, by vectors.
static inline vec_half round_to_half(vec v) {
  const vec_bits bits = (vec_bits)v, rounded = bits + 0x7fffu + (bits >> 16 & 1u);
  return __builtin_convertvector((v != v ? bits | 0x400000u : rounded) >> 16, vec_half);
}
static inline void store(bf16* p, vec v) { *(half_unaligned*)p = round_to_half(v); }
static inline void store_part(bf16* p, vec v, i64 count) {
  const vec_half half = round_to_half(v);
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  _mm256_mask_storeu_epi16(p, (__mmask16)((1u << count) - 1), (__m256i)half);
#else
  memcpy(p, &half, count * sizeof(bf16));
#endif
}

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
