// C[m x n] = activation(scale * op(A) op(B) (+ bias_n) (+ C)) over fp32 or bf16, batched; blocked as in Goto and van de Geijn 2008.
//
// The work is cut into a grid of independent (batch, row block, column block) tasks. A task packs what it needs into
// its thread's scratch, so there are no barriers; the cut only repeats some packing of the smaller operand.
#include <omp.h>

#include "openblas.h"

constexpr i64 BLOCK_K = 256, BLOCK_M = 20 * MR, BLOCK_N = 1024, BLOCK_LINES = 32, ROUNDED_ROWS = 4 * BLOCK_M;
constexpr double SMALL_FLOPS = 1e7, LARGE_FLOPS = 4e7;

// Numbers in one word of a packed operand.
template <class T>
constexpr i64 PER_WORD = PAIRED && std::is_same_v<T, bf16> ? 2 : 1;

static thread_local Scratch rows_scratch, columns_scratch, sums_scratch;

// The target of one block of a product. The sum over k grows in C: its first part brings the bias, its last is finished.
static Target part(const Target& whole, i64 row, i64 col, bool first, bool last) {
  Target block = whole;
  if (whole.ldc) block.c += row * whole.ldc + col;
  block.accumulate = whole.accumulate || !first;
  block.bias = first && whole.bias ? whole.bias + col : nullptr;
  block.gelu = whole.gelu && last;
  block.rounded = whole.rounded && last ? whole.rounded + row * whole.ld_rounded + col : nullptr;
  return block;
}

// Too few rows to repay packing: B in place, by few enough lines for the TLB. Returns how many columns that were: those
// past the last whole vector are left.
static i64 multiply_in_place(i64 M, i64 N, i64 K, Matrix<float> a, Matrix<float> b, const Target& out) {
  const i64 whole = N / LANES * LANES;
  for (i64 k0 = 0; k0 < K && whole > 0; k0 += BLOCK_LINES) {
    const i64 depth = least(K - k0, BLOCK_LINES);
    multiply_panels(M, whole, depth, rows_in_place(a.at(0, k0).data, a.row, a.col), {b.at(k0, 0).data, depth, whole, b.row},
                    part(out, 0, 0, k0 == 0, k0 + depth == K));
  }
  return whole;
}

// Blocks of depth, columns and rows, packed.
template <class T>
static void multiply_packed(i64 M, i64 N, i64 K, Matrix<T> a, Matrix<T> b, const Target& out) {
  constexpr i64 per_word = PER_WORD<T>;
  constexpr bool pairs = per_word == 2;
  float* packed_b = columns_scratch.get(pad(least(N, BLOCK_N)) * BLOCK_K);
  const bool readable = std::is_same_v<T, float> ? a.col == 1 || a.row == 1 : pairs && a.col == 1 && K % 2 == 0;
  const bool pack_a = !readable || N > 4 * NR;
  float* packed_a = pack_a ? rows_scratch.get(BLOCK_M * BLOCK_K + LANES) : nullptr;
  for (i64 n0 = 0; n0 < N; n0 += BLOCK_N) {
    const i64 cols = least(N - n0, BLOCK_N);
    for (i64 k0 = 0; k0 < K; k0 += BLOCK_K * per_word) {
      const i64 depth = least(K - k0, BLOCK_K * per_word), words = (depth + per_word - 1) / per_word;
      if constexpr (pairs)
        pack_column_pairs(depth, cols, b.at(k0, n0), packed_b);
      else
        pack_columns(depth, cols, b.at(k0, n0), packed_b);
      for (i64 m0 = 0; m0 < M; m0 += BLOCK_M) {
        const i64 rows = least(M - m0, BLOCK_M);
        const Matrix<T> block = a.at(m0, k0);
        Rows lines = {block.data, (i64)sizeof(T) * a.row, (i64)sizeof(T) * per_word * a.col};
        if (pack_a) {
          if constexpr (pairs)
            pack_row_pairs(rows, depth, block, packed_a);
          else
            pack_rows(rows, depth, block, packed_a);
          lines = {packed_a};
        }
        multiply_panels(rows, cols, words, lines, {packed_b, words, cols, 0, pairs}, part(out, m0, n0, k0 == 0, k0 + depth == K));
      }
    }
  }
}

// A result that is kept rounded grows in fp32 scratch first.
template <class T>
static void multiply_rounded(i64 M, i64 N, i64 K, Matrix<T> a, Matrix<T> b, const Target& out) {
  const bool one_block = K <= BLOCK_K * PER_WORD<T> && !out.accumulate;
  for (i64 m0 = 0; m0 < M; m0 += ROUNDED_ROWS)
    for (i64 n0 = 0; n0 < N; n0 += BLOCK_N) {
      const i64 rows = least(M - m0, ROUNDED_ROWS), cols = least(N - n0, BLOCK_N);
      Target block = part(out, m0, n0, true, true);
      block.ldc = one_block ? 0 : cols;
      block.c = sums_scratch.get(one_block ? MR * NR : rows * cols);
      if (out.accumulate)
        for (i64 m = 0; m < rows; m++)
          for (i64 n = 0; n < cols; n++) block.c[m * cols + n] = block.rounded[m * out.ld_rounded + n];
      multiply_packed(rows, cols, K, a.at(m0, 0), b.at(0, n0), block);
    }
}

// One task, on one thread. `few_rows` is of the whole product, not of the task: the order of summation must not depend on
// the cut.
template <class T>
static void multiply(i64 M, i64 N, i64 K, Matrix<T> a, Matrix<T> b, const Target& out, bool few_rows) {
  if (few_rows && b.row == 1 && a.col == 1) return multiply_dots(M, N, K, a, b, out);
  if (out.rounded) return multiply_rounded(M, N, K, a, b, out);
  if constexpr (std::is_same_v<T, float>) {
    if (few_rows && b.col == 1) {
      const i64 done = multiply_in_place(M, N, K, a, b, out);
      if (done < N) multiply_packed(M, N - done, K, a, b.at(0, done), part(out, 0, done, true, true));
      return;
    }
  }
  multiply_packed(M, N, K, a, b, out);
}

// k = 0: the product is zero, the epilogue still applies.
static void empty_product(i64 m, i64 n, const Target& out) {
  for (i64 i = 0; i < m; i++)
    for (i64 j = 0; j < n; j++) {
      float* c = out.c + i * out.ldc + j;
      bf16* rounded = out.rounded + i * out.ld_rounded + j;
      const float x = (out.accumulate ? out.rounded ? (float)*rounded : *c : 0) + (out.bias ? out.bias[j] : 0);
      const float y = out.gelu ? gelu_(x) : x;
      if (out.rounded)
        *rounded = y;
      else
        *c = y;
    }
}

struct Gemm {
  bool trans_a, trans_b;
  i64 m, n, k;
  Target out;
  i64 batch, stride_a, stride_b, stride_c;
};

// The same product in OpenBLAS's hands.
static void run_blas(const Gemm& g, const float* a, const float* b) {
  const i64 block = blas_block(g.m, g.n), blocks_m = (g.m + block - 1) / block, blocks_n = (g.n + block - 1) / block;
  const i64 lda = g.trans_a ? g.m : g.k, ldb = g.trans_b ? g.k : g.n;
#pragma omp parallel for schedule(dynamic)
  for (i64 task = 0; task < g.batch * blocks_m * blocks_n; task++) {
    const i64 item = task / (blocks_m * blocks_n), m0 = task / blocks_n % blocks_m * block, n0 = task % blocks_n * block;
    Target out = part(g.out, m0, n0, true, true);
    out.c += item * g.stride_c;
    blas_multiply(g.trans_a, g.trans_b, least(g.m - m0, block), least(g.n - n0, block), g.k,
                  a + item * g.stride_a + (g.trans_a ? m0 : m0 * lda), lda, b + item * g.stride_b + (g.trans_b ? n0 * ldb : n0), ldb, out);
  }
}

template <class T>
static void run(const Gemm& g, const T* a, const T* b) {
  if constexpr (std::is_same_v<T, float>)
    if (!g.out.rounded && blas_takes(g.m, g.n, g.k)) return run_blas(g, a, b);
  const auto [trans_a, trans_b, m, n, k, out, batch, stride_a, stride_b, stride_c] = g;
  const i64 threads = omp_get_max_threads();
  const double flops = 2.0 * m * n * k;
  // Cut the longer side first: the cut repeats the packing of the other, shorter operand.
  i64 block_m = m, block_n = n, blocks_m = 1, blocks_n = 1;
  const i64 wanted = flops * batch < SMALL_FLOPS ? 1 : flops * batch > LARGE_FLOPS ? 4 * threads : threads;
  while (batch * blocks_m * blocks_n < wanted && (block_m > 2 * MR || block_n > 2 * NR)) {
    if (block_m > 2 * MR && (block_m >= block_n || block_n <= 2 * NR))
      block_m = round_up((block_m + 1) / 2, MR);
    else
      block_n = round_up((block_n + 1) / 2, NR);
    blocks_m = (m + block_m - 1) / block_m;
    blocks_n = (n + block_n - 1) / block_n;
  }
  const i64 tasks = batch * blocks_m * blocks_n;
#pragma omp parallel for schedule(dynamic) if (wanted > 1 && tasks > 1)
  for (i64 task = 0; task < tasks; task++) {
    const i64 item = task / (blocks_m * blocks_n), m0 = task / blocks_n % blocks_m * block_m, n0 = task % blocks_n * block_n;
    const i64 rows = least(m - m0, block_m), cols = least(n - n0, block_n);
    if (rows <= 0 || cols <= 0) continue;
    const Matrix<T> A = trans_a ? Matrix<T>{a + item * stride_a, 1, m} : Matrix<T>{a + item * stride_a, k, 1};
    const Matrix<T> B = trans_b ? Matrix<T>{b + item * stride_b, 1, k} : Matrix<T>{b + item * stride_b, n, 1};
    Target whole = out;
    if (out.rounded)
      whole.rounded += item * stride_c;
    else
      whole.c += item * stride_c;
    if (k == 0)
      empty_product(m, n, whole);
    else
      multiply(rows, cols, k, A.at(m0, 0), B.at(0, n0), part(whole, m0, n0, true, true), m <= MR);
  }
}

// `bf16_in`, `bf16_out`: the storage of a and b, and of c.
extern "C" void host_gemm(int trans_a, int trans_b, i64 m, i64 n, i64 k, int bf16_in, int bf16_out, const void* a, const void* b,
                          void* c, const float* bias, float scale, int accumulate, int gelu, i64 batch, i64 stride_a, i64 stride_b,
                          i64 stride_c) {
  // A column vector is a row vector of the transposed product, whose paths for few rows read the matrix once.
  if (n == 1 && m > 1 && !bias)
    return host_gemm(0, !trans_a, 1, m, k, bf16_in, bf16_out, b, a, c, nullptr, scale, accumulate, gelu, batch, stride_b, stride_a,
                     stride_c);
  const Target out = {bf16_out ? nullptr : (float*)c, bf16_out ? 0 : n, accumulate != 0, bias, scale, gelu != 0,
                      bf16_out ? (bf16*)c : nullptr,  bf16_out ? n : 0};
  const Gemm g = {trans_a != 0, trans_b != 0, m, n, k, out, batch, stride_a, stride_b, stride_c};
  if (bf16_in)
    run(g, (const bf16*)a, (const bf16*)b);
  else
    run(g, (const float*)a, (const float*)b);
}
