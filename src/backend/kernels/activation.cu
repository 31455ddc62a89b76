// Activations with their gradients.
#include "device.h"

// Exact GELU: x Phi(x).
STORED_KERNEL(gelu)(const stored* x, stored* y, i64 n) {
  FOR_EACH(i, n) {
    const float v = x[i];
    y[i] = 0.5f * v * (1.0f + erf_(v * 0.70710678f));
  }
}

// d(x Phi(x))/dx = Phi(x) + x phi(x).
STORED_KERNEL(gelu_grad)(const stored* dy, const stored* x, stored* dx, i64 n) {
  FOR_EACH(i, n) {
    const float v = x[i], cdf = 0.5f * (1.0f + erf_(v * 0.70710678f));
    dx[i] = dy[i] * (cdf + v * 0.39894228f * exp_(-0.5f * v * v));
  }
}

STORED_KERNEL(swiglu)(const stored* gate, const stored* up, stored* y, i64 n) {
  FOR_EACH(i, n) {
    const float g = gate[i];
    y[i] = g * sigmoid_(g) * up[i];
  }
}

STORED_KERNEL(swiglu_grad)(const stored* dy, const stored* gate, const stored* up, stored* dgate, stored* dup, i64 n) {
  FOR_EACH(i, n) {
    const float g = gate[i], d = dy[i], s = sigmoid_(g), silu = g * s;
    dgate[i] = d * up[i] * (s + silu * (1.0f - s));
    dup[i] = d * silu;
  }
}

// Softmax over rows; a row of -inf alone gives NaN, as in TF.js.
KERNEL softmax(const float* x, float* y, i64 rows, i64 cols) {
  FOR_ROW(r, rows, cols) {
    const float* px = x + r * cols;
    float* py = y + r * cols;
    const float top = row_max(px, cols);
    float sum = 0;
    FOR_LANE_SUM(sum, i, cols) {
      const float e = exp_(px[i] - top);
      py[i] = e;
      sum += e;
    }
    const float scale = 1.0f / block_sum(sum);
    FOR_LANE(i, cols) py[i] *= scale;
  }
}

KERNEL log_softmax(const float* x, float* y, i64 rows, i64 cols) {
  FOR_ROW(r, rows, cols) {
    const float* px = x + r * cols;
    const float top = row_max(px, cols);
    float sum = 0;
    FOR_LANE_SUM(sum, i, cols) sum += exp_(px[i] - top);
    const float shift = top + logf(block_sum(sum));
    FOR_LANE(i, cols) y[r * cols + i] = px[i] - shift;
  }
}
