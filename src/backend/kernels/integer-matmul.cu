// Matrix products of integers, exact and plain: TF.js programs count with them, no model trains on them.
#include "device.h"

// y[b, i, j] = sum over l of op(a)[b, i, l] op(b)[b, l, j]; a stride for every axis of each operand says how it lies.
KERNEL matmul_int(const int* a, const int* b, int* y, i64 rows, i64 m, i64 n, i64 k, i64 a_batch, i64 a_row, i64 a_col, i64 b_batch, i64 b_row, i64 b_col) {
  FOR_ROW(r, rows, n * k) {
    const int* pa = a + r / m * a_batch + r % m * a_row;
    const int* pb = b + r / m * b_batch;
    int* py = y + r * n;
    FOR_LANE(j, n) py[j] = 0;
    for (i64 l = 0; l < k; l++) {
      const int factor = pa[l * a_col];
      FOR_LANE(j, n) py[j] += factor * pb[l * b_row + j * b_col];
    }
  }
}
