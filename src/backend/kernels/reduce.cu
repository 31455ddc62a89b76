// Reductions. A reduction over some axes is brought to x[outer, n, inner] -> y[outer, inner] first; long ones are cut
// into chunks of fixed length whose partial results are reduced again, so the order never depends on the machine.
#include "candidate.h"
#include "device.h"

// The order is that of REDUCE_OPS in register/reduce.ts.
enum ReduceOp { SUM, PROD, MAX, MIN };

template <class T>
DEVICE T combine(int op, T a, T b) {
  return op == SUM ? a + b : op == PROD ? a * b : op == MAX ? max_(b, a) : min_(b, a);
}
DEVICE float limit(int op, float) { return op == SUM ? 0.0f : op == PROD ? 1.0f : op == MAX ? -INFINITY : INFINITY; }
DEVICE int limit(int op, int) { return op == SUM ? 0 : op == PROD ? 1 : op == MAX ? -2147483647 - 1 : 2147483647; }

// y[r] = scale * sum of x[r, 0..cols); the last row may be shorter: x has `total` elements in all.
STORED_KERNEL(sum_rows)(const stored* x, float* y, i64 rows, i64 cols, i64 total, float scale) {
  FOR_ROW(r, rows, cols) {
    const stored* px = x + r * cols;
    const i64 n = total - r * cols < cols ? total - r * cols : cols;
    float sum = 0;
    FOR_LANE_SUM(sum, i, n) sum += float(px[i]);
    sum = block_sum(sum);
    if (FIRST_LANE) y[r] = sum * scale;
  }
}

// As sum_rows with scale 1, of squares.
STORED_KERNEL(sum_squares_rows)(const stored* x, float* y, i64 rows, i64 cols, i64 total) {
  FOR_ROW(r, rows, cols) {
    const stored* px = x + r * cols;
    const i64 n = total - r * cols < cols ? total - r * cols : cols;
    float sum = 0;
    FOR_LANE_SUM(sum, i, n) sum += float(px[i]) * float(px[i]);
    sum = block_sum(sum);
    if (FIRST_LANE) y[r] = sum;
  }
}

// y[o, c, j] = scale * sum over the c-th chunk of x[o, .., j]: the axis of length n is cut into `chunks` of length `chunk`;
// a row is one (outer, chunk, block of 64 columns).
STORED_KERNEL(sum_columns)(const stored* x, float* y, i64 rows, i64 n, i64 inner, i64 chunk, i64 chunks, float scale) {
  const i64 blocks = (inner + 63) / 64;
  FOR_ROW(r, rows, 64 * chunk) {
    const i64 o = r / (chunks * blocks), c = r / blocks % chunks, j0 = r % blocks * 64;
    const i64 width = inner - j0 < 64 ? inner - j0 : 64;
    const i64 begin = c * chunk, end = begin + chunk < n ? begin + chunk : n;
    float* py = y + (o * chunks + c) * inner + j0;
    FOR_LANE(j, width) py[j] = 0;
    for (i64 i = begin; i < end; i++) {
      const stored* px = x + (o * n + i) * inner + j0;
      FOR_LANE(j, width) py[j] += px[j];
    }
    FOR_LANE(j, width) py[j] *= scale;
  }
}

template <class T>
DEVICE void reduce_any(int op, const T* x, T* y, i64 elements, i64 length, i64 inner) {
  FOR_ROW(e, (elements + 255) / 256, 256 * length) {
    const i64 width = elements - e * 256 < 256 ? elements - e * 256 : 256;
    FOR_LANE(j, width) {
      const i64 at = e * 256 + j;
      const T* px = x + at / inner * length * inner + at % inner;
      T result = limit(op, T(0));
      for (i64 i = 0; i < length; i++) result = combine(op, result, px[i * inner]);
      y[at] = result;
    }
  }
}

// Any operation, any dtype: each of the n = outer x inner results walks its axis.
KERNEL reduce(int op, const float* x, float* y, i64 n, i64 length, i64 inner) { reduce_any(op, x, y, n, length, inner); }
KERNEL reduce_int(int op, const int* x, int* y, i64 n, i64 length, i64 inner) { reduce_any(op, x, y, n, length, inner); }

// A number that compares with others of its kind the other way round; -x would overflow for the least integer.
DEVICE float reversed(float x) { return -x; }
DEVICE int reversed(int x) { return ~x; }

// y[o, j] = index of the largest (sign 1) or smallest (sign -1) of x[o, .., j]; the first of equals.
template <class T>
DEVICE void arg_extreme_any(const T* x, int* y, i64 rows, i64 length, i64 stride, int sign) {
  FOR_ROW(e, rows, length) {
    const T* px = x + e / stride * length * stride + e % stride;
#ifdef __CUDACC__
    // As one lane would find it: NaN never wins a comparison, so it is the answer only where it comes first.
    Candidate<T> best = {T(0), -1};
    FOR_LANE(i, length) {
      const T value = px[i * stride];
      if (value == value && (best.at < 0 || (sign > 0 ? value > best.value : value < best.value))) best = {value, (int)i};
    }
    if (sign < 0) best.value = reversed(best.value);
    best = block_best(best);
    if (FIRST_LANE) y[e] = px[0] != px[0] ? 0 : best.at;
#else
    i64 best = 0;
    for (i64 i = 1; i < length; i++)
      if (sign > 0 ? px[i * stride] > px[best * stride] : px[i * stride] < px[best * stride]) best = i;
    y[e] = (int)best;
#endif
  }
}
KERNEL arg_extreme(const float* x, int* y, i64 rows, i64 length, i64 stride, int sign) { arg_extreme_any(x, y, rows, length, stride, sign); }
KERNEL arg_extreme_int(const int* x, int* y, i64 rows, i64 length, i64 stride, int sign) { arg_extreme_any(x, y, rows, length, stride, sign); }

template <class T>
DEVICE void cumulate_any(int op, const T* x, T* y, i64 n, i64 length, i64 inner, int exclusive, int reverse) {
  FOR_ROW(e, n, length) {
    const i64 base = e / inner * length * inner + e % inner;
    T result = limit(op, T(0));
    if (FIRST_LANE) {
      for (i64 i = 0; i < length; i++) {
        const i64 at = base + (reverse ? length - 1 - i : i) * inner;
        const T next = combine(op, result, x[at]);
        y[at] = exclusive ? result : next;
        result = next;
      }
    }
  }
}
// Running sums and products along an axis.
KERNEL cumulate(int op, const float* x, float* y, i64 n, i64 length, i64 inner, int exclusive, int reverse) {
  cumulate_any(op, x, y, n, length, inner, exclusive, reverse);
}
KERNEL cumulate_int(int op, const int* x, int* y, i64 n, i64 length, i64 inner, int exclusive, int reverse) {
  cumulate_any(op, x, y, n, length, inner, exclusive, reverse);
}

