// The k largest of each row in falling order, the lower index first among equals.
#include "candidate.h"
#include "device.h"

#ifdef __CUDACC__

// Every lane offers the best of its own elements; the lane whose offer is taken looks for its next one. A row is read once,
// and then 1 / blockDim of it for each result.
template <class T>
DEVICE Candidate<T> next_of_lane(const T* px, i64 cols, Candidate<T> taken) {
  Candidate<T> best = {T(0), -1};
  FOR_LANE(i, cols) {
    const Candidate<T> candidate = {px[i], (int)i};
    if ((taken.at < 0 || taken.before(candidate)) && candidate.before(best)) best = candidate;
  }
  return best;
}

template <class T>
DEVICE void top_k_any(const T* x, T* values, int* indices, i64 rows, i64 cols, i64 k) {
  FOR_ROW(r, rows, cols) {
    const T* px = x + r * cols;
    Candidate<T> offer = next_of_lane(px, cols, {T(0), -1});
    for (i64 j = 0; j < k && j < cols; j++) {
      const Candidate<T> best = block_best(offer);
      if (FIRST_LANE) values[r * k + j] = best.value, indices[r * k + j] = best.at;
      if (offer.at == best.at) offer = next_of_lane(px, cols, best);
    }
  }
}

#else

// Insertion into the sorted result: after the first few elements most are refused by one comparison.
template <class T>
DEVICE void top_k_any(const T* x, T* values, int* indices, i64 rows, i64 cols, i64 k) {
  FOR_ROW(r, rows, cols) {
    const T* px = x + r * cols;
    T* best = values + r * k;
    int* at = indices + r * k;
    if (k > 0) {
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

#endif

KERNEL top_k(const float* x, float* values, int* indices, i64 rows, i64 cols, i64 k) { top_k_any(x, values, indices, rows, cols, k); }
KERNEL top_k_int(const int* x, int* values, int* indices, i64 rows, i64 cols, i64 k) { top_k_any(x, values, indices, rows, cols, k); }
