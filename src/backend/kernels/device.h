// The dialect every kernel here is written in: CUDA C++ that is also plain C++.
//
//   FOR_EACH(i, n)         elements, independent: a grid-stride loop | an OpenMP loop of SIMD lanes
//   FOR_ROW(r, rows, work) rows of about `work` elements: a block each | an OpenMP iteration each
//   FOR_LANE(i, n)         the elements of one row: the block's threads | SIMD lanes
//   FOR_LANE_SUM(acc, i, n), FOR_LANE_MAX: the same where the body adds to (maximises) `acc`
//   block_sum, block_max   combine the lanes' values; all lanes get the result
//   row_max(x, n)          the largest of a row of floats, in all lanes; NaN is passed over
//   FIRST_LANE             true in one lane of a row: scalar work and stores
//   SYNC()                 between two passes over a row when lanes read what other lanes wrote
//   STORED_KERNEL(name)    a kernel over `stored` numbers: compiled as `name` with stored = float and, once more with
//                          STORE_BF16 defined, as `name_bf16` with stored = bf16. Reading gives a float, writing rounds.
//   cell                   an uninterpreted element as wide as `stored`
//
// A kernel's amount of work is its parameter `n` (elements) or `rows`; every loop accepts any launch size.
// No kernel uses atomics and every order of summation is fixed by shapes alone, so two runs agree bit for bit.
#pragma once

typedef long long i64;
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned long long u64;

#ifdef __CUDACC__

#define GLOBAL __global__ void
#define UNUSED_FUNCTION static __device__ __attribute__((unused)) void
#define DEVICE static __device__ __forceinline__
#define MEMBER __device__ __forceinline__
#define FOR_EACH(i, n) for (i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x; i < (n); i += (i64)gridDim.x * blockDim.x)
#define FOR_ROW(r, rows, work) for (i64 r = blockIdx.x; r < (rows); r += gridDim.x)
#define FOR_LANE(i, n) for (i64 i = threadIdx.x; i < (n); i += blockDim.x)
#define FOR_LANE_SUM(acc, i, n) FOR_LANE(i, n)
#define FOR_LANE_MAX(acc, i, n) FOR_LANE(i, n)
#define FIRST_LANE (threadIdx.x == 0)
#define SYNC() __syncthreads()

template <class Combine>
DEVICE float block_combine(float value, float identity, Combine combine) {
  __shared__ float partial[32];
  for (int offset = 16; offset > 0; offset /= 2) value = combine(value, __shfl_xor_sync(0xffffffffu, value, offset));
  __syncthreads();
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  value = threadIdx.x % 32 < (blockDim.x + 31) / 32 ? partial[threadIdx.x % 32] : identity;
  for (int offset = 16; offset > 0; offset /= 2) value = combine(value, __shfl_xor_sync(0xffffffffu, value, offset));
  return value;
}
DEVICE float block_sum(float value) {
  return block_combine(value, 0.0f, [](float a, float b) { return a + b; });
}
DEVICE float block_max(float value) {
  return block_combine(value, -1.0f / 0.0f, [](float a, float b) { return a > b ? a : b; });
}

DEVICE float float_of_bits(u32 bits) { return __uint_as_float(bits); }
#ifndef __CUDA_EMULATION__
DEVICE u16 bf16_bits(float x) {
  u16 bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}
#endif

DEVICE float row_max(const float* x, i64 n) {
  float top = -1.0f / 0.0f;
  FOR_LANE(i, n) top = x[i] > top ? x[i] : top;
  return block_max(top);
}

DEVICE float exp_(float x) { return expf(x); }
DEVICE float tanh_(float x) { return tanhf(x); }
DEVICE float erf_(float x) { return erff(x); }

#else

#include <cmath>
#include <cstring>

#define PRAGMA(...) _Pragma(#__VA_ARGS__)
#define GLOBAL void
#define UNUSED_FUNCTION static __attribute__((unused)) void
#define DEVICE static inline __attribute__((always_inline))
#define MEMBER inline __attribute__((always_inline))
// Below this many elements (12 to 60 microseconds of work) waking a second thread costs more than it brings.
#define PARALLEL_MIN 262144
// Threads share out whole chunks, so that an element is computed by the same instructions (the vector loop or its scalar
// rest, which may round differently) whatever their number. They take what is left piece by piece: where another process
// holds a core, halves would last as long as the whole.
#define CHUNK 4096
#define PIECE_CHUNKS 8
#define PIECE_ROWS(work) ((work) >= CHUNK * PIECE_CHUNKS ? 1 : CHUNK * PIECE_CHUNKS / ((i64)(work) + 1) + 1)
#define FOR_EACH(i, n)                                                                                        \
  PRAGMA(omp parallel for schedule(dynamic, PIECE_CHUNKS) if ((n) > PARALLEL_MIN)) for (i64 first_ = 0; first_ < (n); first_ += CHUNK) \
  PRAGMA(omp simd) for (i64 i = first_; i < (first_ + CHUNK < (n) ? first_ + CHUNK : (n)); i++)
#define FOR_ROW(r, rows, work)                                                                      \
  PRAGMA(omp parallel for schedule(dynamic, PIECE_ROWS(work)) if ((rows) * (i64)(work) > PARALLEL_MIN && (rows) > 1)) \
  for (i64 r = 0; r < (rows); r++)
#define FOR_LANE(i, n) PRAGMA(omp simd) for (i64 i = 0; i < (n); i++)
#define FOR_LANE_SUM(acc, i, n) PRAGMA(omp simd reduction(+ : acc)) for (i64 i = 0; i < (n); i++)
#define FOR_LANE_MAX(acc, i, n) PRAGMA(omp simd reduction(max : acc)) for (i64 i = 0; i < (n); i++)
#define FIRST_LANE true
#define SYNC()

DEVICE float block_sum(float value) { return value; }
DEVICE float block_max(float value) { return value; }

// By 64 lanes: a single running maximum would wait for itself. Rows come from memory here, and the processor's own
// prefetcher stops at every page: asking two pages ahead brought 15 %.
DEVICE float row_max(const float* x, i64 n) {
  float tops[64], top = -INFINITY;
  for (int j = 0; j < 64; j++) tops[j] = -INFINITY;
  i64 i = 0;
  for (; i + 64 <= n; i += 64) {
    for (int line = 0; line < 64; line += 16) __builtin_prefetch(x + i + 2048 + line);
    PRAGMA(omp simd) for (int j = 0; j < 64; j++) tops[j] = x[i + j] > tops[j] ? x[i + j] : tops[j];
  }
  for (; i < n; i++) top = x[i] > top ? x[i] : top;
  for (int j = 0; j < 64; j++) top = tops[j] > top ? tops[j] : top;
  return top;
}

DEVICE float float_of_bits(u32 bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// The functions below replace libm's where a loop must vectorise. Polynomials: weighted minimax fits; errors are those
// of a sweep over all magnitudes against float64.

// 1.3 ulp. exp(-inf) = 0, exp(inf) = inf, NaN stays NaN; results below 1.7e-38 are flushed to 0, because the slow
// arithmetic of denormal numbers would be spent on every element that a mask hides.
DEVICE float exp_(float x) {
  const float shifted = x * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: the nearest integer n lands in the low mantissa bits
  const float n = shifted - 12582912.0f;
  const float r = x - n * 0.693145752f - n * 1.42860677e-6f;
  float p = 0.00138146023f;
  p = p * r + 0.00836871564f;
  p = p * r + 0.041668389f;
  p = p * r + 0.166665211f;
  p = p * r + 0.49999994f;
  p = 2.0f * p * (r * r) + (2.0f * r + 2.0f);  // 2 e^r, so that 2^(n - 1) suffices up to the largest float
  u32 bits;
  memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 23) + (126u << 23);
  float scale;
  memcpy(&scale, &bits, sizeof scale);
  const float y = x < -86.98f ? 0.0f : p * scale;
  return x > 88.7228394f ? INFINITY : y;
}

// 1.3 ulp.
DEVICE float tanh_(float x) {
  const float a = fabsf(x), s = x * x;
  const float large = 1.0f - 2.0f / (exp_(2.0f * a) + 1.0f);
  float p = -0.00570498733f;
  p = p * s + 0.020639088f;
  p = p * s - 0.0537397154f;
  p = p * s + 0.133314416f;
  p = p * s - 0.333332807f;
  return a < 0.625f ? x + x * s * p : copysignf(large, x);
}

// 2.5 ulp: x P(x^2) below 1, 1 - exp(-Q(|x|)) above.
DEVICE float erf_(float x) {
  const float a = fabsf(x), s = x * x, t = a > 4.0f ? 4.0f : a;
  float p = 7.89869518e-5f;
  p = p * s - 0.000802481896f;
  p = p * s + 0.00519016245f;
  p = p * s - 0.0268549155f;
  p = p * s + 0.112836175f;
  p = p * s - 0.376126289f;
  p = p * s + 1.12837923f;
  float q = -0.00019242517f;
  q = q * t + 0.00300852908f;
  q = q * t - 0.0220876094f;
  q = q * t + 0.103640266f;
  q = q * t + 0.637517095f;
  q = q * t + 1.1274749f;
  q = q * t + 0.000244722498f;
  return a < 1.0f ? x * p : copysignf(1.0f - exp_(-q), x);
}

#endif

#if !defined(__CUDACC__) || defined(__CUDA_EMULATION__)
// To the nearest, ties to even; a NaN stays one.
DEVICE u16 bf16_bits(float x) {
  u32 bits;
  memcpy(&bits, &x, sizeof bits);
  const u32 rounded = bits + 0x7fffu + (bits >> 16 & 1u);
  return (u16)((x != x ? bits | 0x400000u : rounded) >> 16);
}
#endif

// A float's upper half: 8 bits of exponent, 8 of precision.
struct bf16 {
  u16 bits;
  bf16() = default;
  MEMBER bf16(float x) : bits(bf16_bits(x)) {}
  MEMBER operator float() const { return float_of_bits((u32)bits << 16); }
};

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#ifdef STORE_BF16
typedef bf16 stored;
typedef u16 cell;
#define STORED_NAME(name) JOIN(name, _bf16)
// The plain kernels of the file belong to its first compilation; here they are functions that nobody calls.
#define KERNEL UNUSED_FUNCTION
#else
typedef float stored;
typedef u32 cell;
#define STORED_NAME(name) name
#define KERNEL extern "C" GLOBAL
#endif
#define STORED_KERNEL(name) extern "C" GLOBAL STORED_NAME(name)

DEVICE float sigmoid_(float x) { return 1.0f / (1.0f + exp_(-x)); }

// Maximum and minimum that let NaN through, as Math.max does.
template <class T>
DEVICE T max_(T a, T b) {
  return a > b || a != a ? a : b;
}
template <class T>
DEVICE T min_(T a, T b) {
  return a < b || a != a ? a : b;
}

// Source offset of row `r` in a tensor whose outer dimensions (all but the last) are n0..n4 with strides s0..s4.
DEVICE i64 row_offset(i64 r, int n1, int n2, int n3, int n4, i64 s0, i64 s1, i64 s2, i64 s3, i64 s4) {
  u32 rest = (u32)r, next;
  i64 offset = 0;
  if (n4 > 1) next = rest / (u32)n4, offset += s4 * (rest - next * (u32)n4), rest = next;
  if (n3 > 1) next = rest / (u32)n3, offset += s3 * (rest - next * (u32)n3), rest = next;
  if (n2 > 1) next = rest / (u32)n2, offset += s2 * (rest - next * (u32)n2), rest = next;
  if (n1 > 1) next = rest / (u32)n1, offset += s1 * (rest - next * (u32)n1), rest = next;
  return offset + s0 * rest;
}
