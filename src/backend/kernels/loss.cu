// Cross-entropy over rows of logits, with label smoothing e and ignored labels (any label < 0):
//   loss = (1 - e) * -log p[label] + e * mean_v(-log p[v])
#include "device.h"

KERNEL cross_entropy(const float* logits, const int* labels, float* loss, i64 rows, i64 cols, float smoothing) {
  FOR_ROW(r, rows, cols) {
    const float* x = logits + r * cols;
    const int label = labels[r];
    if (label < 0) {
      if (FIRST_LANE) loss[r] = 0;
    } else {
      const float top = row_max(x, cols);
      float sum = 0, total = 0;
      FOR_LANE_SUM(sum, i, cols) sum += exp_(x[i] - top);
      if (smoothing > 0) {
        FOR_LANE_SUM(total, i, cols) total += x[i] - top;
        total = block_sum(total);
      }
      const float log_sum = logf(block_sum(sum));
      const float nll = log_sum - (x[label] - top);
      if (FIRST_LANE) loss[r] = (1 - smoothing) * nll + smoothing * (log_sum - total / cols);
    }
  }
}

// In place: logits become d loss / d logits times dy[row] = dy (softmax - (1 - e) onehot(label) - e / V).
KERNEL cross_entropy_grad(const float* dy, const int* labels, float* logits, i64 rows, i64 cols, float smoothing) {
  FOR_ROW(r, rows, cols) {
    float* x = logits + r * cols;
    const int label = labels[r];
    if (label < 0) {
      FOR_LANE(i, cols) x[i] = 0;
    } else {
      const float top = row_max(x, cols);
      float sum = 0;
      FOR_LANE_SUM(sum, i, cols) {
        const float e = exp_(x[i] - top);
        x[i] = e;
        sum += e;
      }
      const float scale = dy[r] / block_sum(sum), even = dy[r] * smoothing / cols;
      FOR_LANE(i, cols) x[i] = x[i] * scale - even;
      SYNC();
      if (FIRST_LANE) x[label] -= dy[r] * (1 - smoothing);
    }
  }
}

// Both at once, for a head that is frozen: the loss, and in place of the logits their gradient for dy = 1.
KERNEL cross_entropy_with_grad(const int* labels, float* logits, float* loss, i64 rows, i64 cols, float smoothing) {
  FOR_ROW(r, rows, cols) {
    float* x = logits + r * cols;
    const int label = labels[r];
    if (label < 0) {
      if (FIRST_LANE) loss[r] = 0;
      FOR_LANE(i, cols) x[i] = 0;
    } else {
      const float target = x[label];
      const float top = row_max(x, cols);
      float sum = 0, total = 0;
      if (smoothing > 0) {
        FOR_LANE_SUM(total, i, cols) total += x[i] - top;
        total = block_sum(total);
      }
      FOR_LANE_SUM(sum, i, cols) {
        const float e = exp_(x[i] - top);
        x[i] = e;
        sum += e;
      }
      sum = block_sum(sum);
      const float scale = 1.0f / sum, even = smoothing / cols, log_sum = logf(sum);
      FOR_LANE(i, cols) x[i] = x[i] * scale - even;
      SYNC();
      if (FIRST_LANE) {
        x[label] -= 1 - smoothing;
        loss[r] = (1 - smoothing) * (log_sum - (target - top)) + smoothing * (log_sum - total / cols);
      }
    }
  }
}

// y[r, i] = x[r, i] * factor[r].
STORED_KERNEL(scale_rows)(const stored* x, const float* factor, stored* y, i64 rows, i64 cols) {
  FOR_ROW(r, rows, cols) {
    const float f = factor[r];
    FOR_LANE(i, cols) y[r * cols + i] = x[r * cols + i] * f;
  }
}
