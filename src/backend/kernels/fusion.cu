// Gated fusion: a token x is scaled by gain * sigmoid(x . w_self + other . w_other + bias), `other` being one row an item.
#include "device.h"

DEVICE float gate_logit(const stored* x, const stored* other, const float* w_self, const float* w_other, const float* bias, i64 n) {
  float sum = 0;
  FOR_LANE_SUM(sum, i, n) sum += x[i] * w_self[i] + other[i] * w_other[i];
  return block_sum(sum) + *bias;
}

// A row is one of an item's `tokens` tokens.
STORED_KERNEL(gated_fusion)(const stored* x, const stored* other, const float* w_self, const float* w_other, const float* bias, stored* y,
  i64 rows, i64 tokens, i64 cols, float gain) {
  FOR_ROW(r, rows, cols) {
    const stored* px = x + r * cols;
    const float open = gain * sigmoid_(gate_logit(px, other + r / tokens * cols, w_self, w_other, bias, cols));
    FOR_LANE(i, cols) y[r * cols + i] = px[i] * open;
  }
}

// dx, and the gradient of each token's logit z.
STORED_KERNEL(gated_fusion_grad_x)(const stored* dy, const stored* x, const stored* other, const float* w_self, const float* w_other,
  const float* bias, stored* dx, float* dz, i64 rows, i64 tokens, i64 cols, float gain) {
  FOR_ROW(r, rows, cols) {
    const stored* px = x + r * cols;
    const stored* pd = dy + r * cols;
    const float s = sigmoid_(gate_logit(px, other + r / tokens * cols, w_self, w_other, bias, cols));
    float along = 0;
    FOR_LANE_SUM(along, i, cols) along += pd[i] * px[i];
    const float slope = gain * s * (1.0f - s) * block_sum(along), open = gain * s;
    if (FIRST_LANE) dz[r] = slope;
    FOR_LANE(i, cols) dx[r * cols + i] = pd[i] * open + slope * w_self[i];
  }
}

// y[r, i] = factor[r] * x[i].
STORED_KERNEL(outer_product)(const float* factor, const float* x, stored* y, i64 rows, i64 cols) {
  FOR_ROW(r, rows, cols) {
    const float f = factor[r];
    FOR_LANE(i, cols) y[r * cols + i] = f * x[i];
  }
}

// Partial sums over chunks of `chunk` rows of x: partial[c, i] = sum of factor[t] x[t, i]; sum_columns finishes them. A row is a chunk.
STORED_KERNEL(weighted_sums)(const float* factor, const stored* x, float* partial, i64 rows, i64 chunk, i64 total, i64 cols) {
  FOR_ROW(c, rows, chunk * cols) {
    float* py = partial + c * cols;
    FOR_LANE(i, cols) py[i] = 0;
    for (i64 t = c * chunk; t < (c + 1) * chunk && t < total; t++) {
      const stored* px = x + t * cols;
      const float f = factor[t];
      FOR_LANE(i, cols) py[i] += f * px[i];
    }
  }
}
