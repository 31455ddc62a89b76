// Layer norm (Ba et al. 2016) and RMS norm (Zhang and Sennrich 2019), rows of `cols` channels.
//
// Statistics are recomputed in the backward pass: a row is in cache and costs less than a stored tensor.
#include "device.h"

template <class T>
DEVICE float mean_of(const T* x, i64 n) {
  float sum = 0;
  FOR_LANE_SUM(sum, i, n) sum += float(x[i]);
  return block_sum(sum) / n;
}

template <class T>
DEVICE float inverse_deviation(const T* x, float mean, i64 n, float eps) {
  float sum = 0;
  FOR_LANE_SUM(sum, i, n) sum += (x[i] - mean) * (x[i] - mean);
  return 1.0f / sqrtf(block_sum(sum) / n + eps);
}

STORED_KERNEL(layer_norm)(const stored* x, const float* gamma, const float* beta, stored* y, i64 rows, i64 cols, float eps) {
  FOR_ROW(r, rows, cols) {
    const stored* px = x + r * cols;
    stored* py = y + r * cols;
    const float mean = mean_of(px, cols), scale = inverse_deviation(px, mean, cols, eps);
    FOR_LANE(i, cols) py[i] = (px[i] - mean) * scale * gamma[i] + beta[i];
  }
}

STORED_KERNEL(rms_norm)(const stored* x, const float* gamma, stored* y, i64 rows, i64 cols, float eps) {
  FOR_ROW(r, rows, cols) {
    const stored* px = x + r * cols;
    stored* py = y + r * cols;
    const float scale = inverse_deviation(px, 0.0f, cols, eps);
    FOR_LANE(i, cols) py[i] = px[i] * scale * gamma[i];
  }
}

// s = x + r, the residual's sum, and y = its RMS norm. y is of the sum as it is stored: the backward pass sees no other.
STORED_KERNEL(add_rms_norm)(const stored* x, const stored* r, const float* gamma, stored* s, stored* y, i64 rows, i64 cols, float eps) {
  FOR_ROW(row, rows, cols) {
    const stored* px = x + row * cols;
    const stored* pr = r + row * cols;
    stored* ps = s + row * cols;
    stored* py = y + row * cols;
    FOR_LANE(i, cols) ps[i] = px[i] + pr[i];
    const float scale = inverse_deviation(ps, 0.0f, cols, eps);
    FOR_LANE(i, cols) py[i] = ps[i] * scale * gamma[i];
  }
}

// dx = s (g - mean(g) - z mean(g z)) with g = dy gamma, z = (x - mean) s. Without centring (RMS norm) mean(g) drops out. ADDS: plus `added`.
// In f32 g waits in dx: rounded once, so that g - mean(g) is exactly 0 in a row of one channel. bf16 is too coarse for that.
template <bool ADDS = false>
DEVICE void norm_grad_row(const stored* dy, const stored* x, const float* gamma, stored* dx, i64 n, float eps, bool centred,
                          const stored* added = nullptr) {
  const bool waits = sizeof(stored) == sizeof(float);
  const float mean = centred ? mean_of(x, n) : 0.0f, scale = inverse_deviation(x, mean, n, eps);
  float sum_g = 0, sum_gz = 0;
  if (waits) FOR_LANE(i, n) dx[i] = dy[i] * gamma[i];
  FOR_LANE_SUM(sum_gz, i, n) sum_gz += (waits ? float(dx[i]) : dy[i] * gamma[i]) * (x[i] - mean);
  const float mean_gz = block_sum(sum_gz) / n * scale;
  if (centred) FOR_LANE_SUM(sum_g, i, n) sum_g += waits ? float(dx[i]) : dy[i] * gamma[i];
  const float mean_g = centred ? block_sum(sum_g) / n : 0.0f;
  FOR_LANE(i, n) {
    const float g = waits ? float(dx[i]) : dy[i] * gamma[i];
    const float slope = scale * (g - mean_g - (x[i] - mean) * scale * mean_gz);
    dx[i] = ADDS ? slope + added[i] : slope;
  }
}

STORED_KERNEL(layer_norm_grad_x)(const stored* dy, const stored* x, const float* gamma, stored* dx, i64 rows, i64 cols, float eps) {
  FOR_ROW(r, rows, cols) norm_grad_row(dy + r * cols, x + r * cols, gamma, dx + r * cols, cols, eps, true);
}

STORED_KERNEL(rms_norm_grad_x)(const stored* dy, const stored* x, const float* gamma, stored* dx, i64 rows, i64 cols, float eps) {
  FOR_ROW(r, rows, cols) norm_grad_row(dy + r * cols, x + r * cols, gamma, dx + r * cols, cols, eps, false);
}

// Of add_rms_norm, for both operands: ds + what comes through the norm.
STORED_KERNEL(add_rms_norm_grad)(const stored* ds, const stored* dy, const stored* s, const float* gamma, stored* dx, i64 rows, i64 cols,
  float eps) {
  FOR_ROW(r, rows, cols) norm_grad_row<true>(dy + r * cols, s + r * cols, gamma, dx + r * cols, cols, eps, false, ds + r * cols);
}

// Partial sums over chunks of `chunk` tokens: dgamma[c] = sum dy z, dbeta[c] = sum dy; sum_columns finishes them.
// A row here is one chunk.
STORED_KERNEL(layer_norm_grad_params)(const stored* dy, const stored* x, float* dgamma, float* dbeta, i64 rows, i64 chunk, i64 total, i64 cols,
  float eps) {
  FOR_ROW(c, rows, chunk * cols) {
    float* pg = dgamma + c * cols;
    float* pb = dbeta + c * cols;
    FOR_LANE(i, cols) pg[i] = 0, pb[i] = 0;
    for (i64 t = c * chunk; t < (c + 1) * chunk && t < total; t++) {
      const stored* px = x + t * cols;
      const stored* pd = dy + t * cols;
      const float mean = mean_of(px, cols), scale = inverse_deviation(px, mean, cols, eps);
      FOR_LANE(i, cols) {
        pg[i] += pd[i] * (px[i] - mean) * scale;
        pb[i] += pd[i];
      }
    }
  }
}

STORED_KERNEL(rms_norm_grad_gamma)(const stored* dy, const stored* x, float* dgamma, i64 rows, i64 chunk, i64 total, i64 cols, float eps) {
  FOR_ROW(c, rows, chunk * cols) {
    float* pg = dgamma + c * cols;
    FOR_LANE(i, cols) pg[i] = 0;
    for (i64 t = c * chunk; t < (c + 1) * chunk && t < total; t++) {
      const stored* px = x + t * cols;
      const stored* pd = dy + t * cols;
      const float scale = inverse_deviation(px, 0.0f, cols, eps);
      FOR_LANE(i, cols) pg[i] += pd[i] * px[i] * scale;
    }
  }
}
