// Adaptive average pooling of [B, t, h, w, C] with PyTorch's bins: bin o of n cells into m holds floor(o n / m) up to, not
// including, ceil((o + 1) n / m). The bins that hold cell i are then floor(i m / n) up to ceil((i + 1) m / n).
#include "device.h"

struct Range {
  i64 begin, end;
};
DEVICE Range range_of(i64 i, i64 n, i64 m) { return {i * n / m, ((i + 1) * n + m - 1) / m}; }

// x: [.., t0, h0, w0, cols] -> y: [.., t1, h1, w1, cols], f32. A row is one cell of y.
STORED_KERNEL(adaptive_pool)(const stored* x, float* y, i64 rows, i64 t0, i64 h0, i64 w0, i64 t1, i64 h1, i64 w1, i64 cols) {
  FOR_ROW(r, rows, t0 * h0 * w0 / (t1 * h1 * w1) * cols) {
    const i64 b = r / (w1 * h1 * t1);
    const Range w = range_of(r % w1, w0, w1), h = range_of(r / w1 % h1, h0, h1), t = range_of(r / (w1 * h1) % t1, t0, t1);
    float* py = y + r * cols;
    FOR_LANE(c, cols) py[c] = 0;
    for (i64 ti = t.begin; ti < t.end; ti++)
      for (i64 hi = h.begin; hi < h.end; hi++)
        for (i64 wi = w.begin; wi < w.end; wi++) {
          const stored* px = x + (((b * t0 + ti) * h0 + hi) * w0 + wi) * cols;
          FOR_LANE(c, cols) py[c] += px[c];
        }
    const float scale = 1.0f / ((t.end - t.begin) * (h.end - h.begin) * (w.end - w.begin));
    FOR_LANE(c, cols) py[c] *= scale;
  }
}

// dx[cell] = sum of dy[bin] / size of the bin, over the bins that hold the cell. A row is one cell of dx.
STORED_KERNEL(adaptive_pool_grad)(const stored* dy, stored* dx, i64 rows, i64 t0, i64 h0, i64 w0, i64 t1, i64 h1, i64 w1, i64 cols) {
  FOR_ROW(r, rows, cols) {
    const i64 b = r / (w0 * h0 * t0);
    const Range w = range_of(r % w0, w1, w0), h = range_of(r / w0 % h0, h1, h0), t = range_of(r / (w0 * h0) % t0, t1, t0);
    FOR_LANE(c, cols) {
      float sum = 0;
      for (i64 ti = t.begin; ti < t.end; ti++)
        for (i64 hi = h.begin; hi < h.end; hi++)
          for (i64 wi = w.begin; wi < w.end; wi++) {
            const Range bt = range_of(ti, t0, t1), bh = range_of(hi, h0, h1), bw = range_of(wi, w0, w1);
            const i64 size = (bt.end - bt.begin) * (bh.end - bh.begin) * (bw.end - bw.begin);
            sum += dy[(((b * t1 + ti) * h1 + hi) * w1 + wi) * cols + c] / (float)size;
          }
      dx[r * cols + c] = sum;
    }
  }
}
