// The k largest of each row in falling order, the lower index first among equals.
#include "device.h"

// Insertion into the sorted result: after the first few elements most are refused by one comparison.
template <class T>
DEVICE void top_k_any(const T* x, T* values, int* indices, i64 rows, i64 cols, i64 k) {
  FOR_ROW(r, rows, cols) {
    const T* px = x + r * cols;
    T* best = values + r * k;
    int* at = indices + r * k;
    if (FIRST_LANE && k > 0) {
      i64 held = 0;
      for (i64 i = 0; i < cols; i++) {
        if (held == k && !(px[i] > best[k - 1])) continue;
        i64 j = held < k ? held++ : k - 1;
        for (; j > 0 && px[i] > best[j - 1]; j--) best[j] = best[j - 1], at[j] = at[j - 1];
        best[j] = px[i];
        at[j] = (int)i;
      }
    }
  }
}
KERNEL top_k(const float* x, float* values, int* indices, i64 rows, i64 cols, i64 k) { top_k_any(x, values, indices, rows, cols, k); }
KERNEL top_k_int(const int* x, int* values, int* indices, i64 rows, i64 cols, i64 k) { top_k_any(x, values, indices, rows, cols, k); }
