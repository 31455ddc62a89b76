// C[m x n] = op(A) op(B) (+ bias_n) (+ C), float32, batched; blocked as in Goto and van de Geijn 2008.
//
// The work is cut into a grid of independent (batch, row block, column block) tasks. A task packs what it needs into
// its thread's scratch, so there are no barriers; the cut only repeats some packing of the smaller operand.
#include <omp.h>

#include "tile.h"

constexpr i64 BLOCK_K = 256, BLOCK_M = 20 * MR, BLOCK_N = 1024, BLOCK_LINES = 32;
constexpr double SMALL_FLOPS = 1e7, LARGE_FLOPS = 4e7;

static thread_local Scratch rows_scratch, columns_scratch;

// One task, on one thread. `few_rows` is of the whole product, not of the task: the order of summation must not depend on
// the cut.
static void multiply(i64 M, i64 N, i64 K, Matrix a, Matrix b, float* c, i64 ldc, const float* bias, bool accumulate,
                     bool few_rows) {
  if (few_rows && b.row == 1 && a.col == 1) return multiply_dots(M, N, K, a, b, {c, ldc, accumulate, bias});
  if (few_rows && b.col == 1) {
    // Too few rows to repay packing: B in place, by few enough lines for the TLB; but for columns past the last vector.
    const i64 whole = N / LANES * LANES;
    for (i64 k0 = 0; k0 < K && whole > 0; k0 += BLOCK_LINES) {
      const i64 depth = least(K - k0, BLOCK_LINES);
      multiply_panels(M, whole, depth, {a.data + k0 * a.col, a.row, a.col}, false, {b.data + k0 * b.row, depth, whole, b.row},
                      {c, ldc, accumulate || k0 > 0, k0 == 0 ? bias : nullptr});
    }
    if (whole == N) return;
    b.data += whole;
    c += whole;
    bias = bias ? bias + whole : nullptr;
    N -= whole;
  }
  float* packed_b = columns_scratch.get(pad(least(N, BLOCK_N)) * least(K, BLOCK_K));
  const bool pack_a = !(a.col == 1 || a.row == 1) || N > 4 * NR;
  float* packed_a = pack_a ? rows_scratch.get(BLOCK_M * BLOCK_K + LANES) : nullptr;
  for (i64 n0 = 0; n0 < N; n0 += BLOCK_N) {
    const i64 cols = least(N - n0, BLOCK_N);
    for (i64 k0 = 0; k0 < K; k0 += BLOCK_K) {
      const i64 depth = least(K - k0, BLOCK_K);
      pack_columns(depth, cols, {b.data + k0 * b.row + n0 * b.col, b.row, b.col}, packed_b);
      for (i64 m0 = 0; m0 < M; m0 += BLOCK_M) {
        const i64 rows = least(M - m0, BLOCK_M);
        Matrix block = {a.data + m0 * a.row + k0 * a.col, a.row, a.col};
        if (pack_a) {
          pack_rows(rows, depth, block, packed_a);
          block.data = packed_a;
        }
        const bool first = k0 == 0;
        multiply_panels(rows, cols, depth, block, pack_a, {packed_b, depth, cols},
                        {c + m0 * ldc + n0, ldc, accumulate || !first, first && bias ? bias + n0 : nullptr});
      }
    }
  }
}

// k = 0: the product is zero, the epilogue still applies.
static void empty_product(i64 m, i64 n, float* c, const float* bias, bool accumulate) {
  for (i64 i = 0; i < m; i++)
    for (i64 j = 0; j < n; j++) c[i * n + j] = (accumulate ? c[i * n + j] : 0) + (bias ? bias[j] : 0);
}

extern "C" void host_gemm(int trans_a, int trans_b, i64 m, i64 n, i64 k, const float* a, const float* b, float* c, const float* bias,
                          int accumulate, i64 batch, i64 stride_a, i64 stride_b, i64 stride_c) {
  // A column vector is a row vector of the transposed product, whose paths for few rows read the matrix once.
  if (n == 1 && m > 1 && !bias)
    return host_gemm(0, !trans_a, 1, m, k, b, a, c, nullptr, accumulate, batch, stride_b, stride_a, stride_c);
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
    Matrix A = trans_a ? Matrix{a + item * stride_a + m0, 1, m} : Matrix{a + item * stride_a + m0 * k, k, 1};
    Matrix B = trans_b ? Matrix{b + item * stride_b + n0 * k, 1, k} : Matrix{b + item * stride_b + n0, n, 1};
    float* C = c + item * stride_c;
    if (k == 0)
      empty_product(m, n, C, bias, accumulate);
    else
      multiply(rows, cols, k, A, B, C + m0 * n + n0, n, bias ? bias + n0 : nullptr, accumulate, m <= MR);
  }
}
