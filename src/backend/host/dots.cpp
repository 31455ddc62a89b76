// Products of few rows, as in decoding: bound by memory, so the weight is read once, as it lies.
#include "tile.h"

// How two lines are multiplied, STEP numbers at a time, and the rest of fewer.
struct Floats {
  static constexpr i64 STEP = LANES;
  static vec part(const float* p) { return load(p); }
  static vec rest(const float* p, i64 count) { return load_part(p, count); }
  static vec part(const bf16* p) { return load(p); }
  static vec rest(const bf16* p, i64 count) { return load_part(p, count); }
  static vec multiply_add(vec a, vec b, vec acc) { return acc + a * b; }
};
#if defined(__AVX512BF16__)
struct Pairs {
  static constexpr i64 STEP = 2 * LANES;
  static vec part(const bf16* p) { return load((const float*)p); }
  static vec rest(const bf16* p, i64 count) { return (vec)_mm512_maskz_loadu_epi16((1u << count) - 1, p); }
  static vec multiply_add(vec a, vec b, vec acc) { return (vec)_mm512_dpbf16_ps((__m512)acc, (__m512bh)a, (__m512bh)b); }
};
template <class T>
using Way = std::conditional_t<std::is_same_v<T, bf16>, Pairs, Floats>;
#else
template <class T>
using Way = Floats;
#endif

// So much of a line of A stays in L1 beside the lines of B.
constexpr i64 CHUNK_BYTES = 2048;

template <int ROWS, class T>
static inline void dots(i64 depth, const T* const* a, const T* const* b, i64 k0, vec (*sums)[4]) {
  vec acc[ROWS][4];
#pragma GCC unroll 4
  for (int m = 0; m < ROWS; m++)
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) acc[m][j] = sums[m][j];
  const T *b0 = b[0] + k0, *b1 = b[1] + k0, *b2 = b[2] + k0, *b3 = b[3] + k0;
  const T* lines[ROWS];
#pragma GCC unroll 4
  for (int m = 0; m < ROWS; m++) lines[m] = a[m] + k0;
  i64 k = 0;
  for (; k + Way<T>::STEP <= depth; k += Way<T>::STEP) {
    const vec bk[4] = {Way<T>::part(b0 + k), Way<T>::part(b1 + k), Way<T>::part(b2 + k), Way<T>::part(b3 + k)};
#pragma GCC unroll 4
    for (int m = 0; m < ROWS; m++) {
      const vec am = Way<T>::part(lines[m] + k);
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) acc[m][j] = Way<T>::multiply_add(am, bk[j], acc[m][j]);
    }
  }
  if (k < depth) {
    const i64 n = depth - k;
    const vec bk[4] = {Way<T>::rest(b0 + k, n), Way<T>::rest(b1 + k, n), Way<T>::rest(b2 + k, n), Way<T>::rest(b3 + k, n)};
#pragma GCC unroll 4
    for (int m = 0; m < ROWS; m++) {
      const vec am = Way<T>::rest(lines[m] + k, n);
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) acc[m][j] = Way<T>::multiply_add(am, bk[j], acc[m][j]);
    }
  }
#pragma GCC unroll 4
  for (int m = 0; m < ROWS; m++)
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) sums[m][j] = acc[m][j];
}

static inline void finish(const Target& out, i64 m, i64 n, float sum) {
  float* c = out.c ? out.c + m * out.ldc + n : nullptr;
  bf16* rounded = out.rounded ? out.rounded + m * out.ld_rounded + n : nullptr;
  sum = sum * out.scale + (out.bias ? out.bias[n] : 0.0f) + (out.accumulate ? rounded ? (float)*rounded : *c : 0.0f);
  if (out.gelu) sum = gelu_(sum);
  if (rounded)
    *rounded = sum;
  else
    *c = sum;
}

// Four lines of B at a time against all of A, in chunks of k; lines past the end repeat the last one and are not stored.
template <class T>
void multiply_dots(i64 rows, i64 cols, i64 depth, Matrix<T> a, Matrix<T> b, const Target& out) {
  constexpr i64 CHUNK_K = CHUNK_BYTES / sizeof(T);
  const T* lines[round_up(MR, 4)];
  for (i64 m = 0; m < round_up(rows, 4); m++) lines[m] = a.data + least(m, rows - 1) * a.row;
  for (i64 n = 0; n < cols; n += 4) {
    const T* columns[4];
    for (int j = 0; j < 4; j++) columns[j] = b.data + least(n + j, cols - 1) * b.col;
    vec sums[round_up(MR, 4)][4] = {};
    const i64 chunk = rows > 4 ? CHUNK_K : depth;
    for (i64 k = 0; k < depth; k += chunk)
      for (i64 m = 0; m < rows; m += 4) {
        const auto part = rows - m == 1 ? dots<1, T> : rows - m == 2 ? dots<2, T> : dots<4, T>;
        part(least(depth - k, chunk), lines + m, columns, k, sums + m);
      }
    for (i64 m = 0; m < rows; m++)
      for (int j = 0; j < 4 && n + j < cols; j++) finish(out, m, n + j, lane_sum(sums[m][j]));
  }
}

template void multiply_dots(i64, i64, i64, Matrix<float>, Matrix<float>, const Target&);
template void multiply_dots(i64, i64, i64, Matrix<bf16>, Matrix<bf16>, const Target&);
