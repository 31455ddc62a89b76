// Activations with their gradients.
#include "device.h"

// Exact GELU: x Phi(x).
KERNEL gelu(const float* x, float* y, i64 n) {
  FOR_EACH(i, n) y[i] = 0.5f * x[i] * (1.0f + erf_(x[i] * 0.70710678f));
}

// d(x Phi(x))/dx = Phi(x) + x phi(x).
KERNEL gelu_grad(const float* dy, const float* x, float* dx, i64 n) {
  FOR_EACH(i, n) {
    const float cdf = 0.5f * (1.0f + erf_(x[i] * 0.70710678f));
    dx[i] = dy[i] * (cdf + x[i] * 0.39894228f * exp_(-0.5f * x[i] * x[i]));
  }
}

KERNEL swiglu(const float* gate, const float* up, float* y, i64 n) {
  FOR_EACH(i, n) y[i] = gate[i] * sigmoid_(gate[i]) * up[i];
}

KERNEL swiglu_grad(const float* dy, const float* gate, const float* up, float* dgate, float* dup, i64 n) {
  FOR_EACH(i, n) {
    const float s = sigmoid_(gate[i]), silu = gate[i] * s;
    dgate[i] = dy[i] * up[i] * (s + silu * (1.0f - s));
    dup[i] = dy[i] * silu;
  }
}

// Softmax over rows; a row of -inf alone gives NaN, as in TF.js.
KERNEL softmax(const float* x, float* y, i64 rows, i64 cols) {
  FOR_ROW(r, rows, cols) {
    const float* px = x + r * cols;
    float* py = y + r * cols;
    float top = -INFINITY, sum = 0;
    FOR_LANE_MAX(top, i, cols) top = px[i] > top ? px[i] : top;
    top = block_max(top);
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
    float top = -INFINITY, sum = 0;
    FOR_LANE_MAX(top, i, cols) top = px[i] > top ? px[i] : top;
    top = block_max(top);
    FOR_LANE_SUM(sum, i, cols) sum += exp_(px[i] - top);
    const float shift = top + logf(block_sum(sum));
    FOR_LANE(i, cols) y[r * cols + i] = px[i] - shift;
  }
}
