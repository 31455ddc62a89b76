// AdamW (Loshchilov and Hutter 2019).
#include "device.h"

// One step as PyTorch does it: decay decoupled from the gradient, eps outside the root.
//   decay = 1 - lr * weight_decay; step_size = lr / (1 - beta1^t); root = 1 / sqrt(1 - beta2^t)
KERNEL adamw(const float* param, const float* grad, const float* m, const float* v, float* new_param, float* new_m, float* new_v, i64 n,
  float beta1, float beta2, float rest1, float rest2, float eps, float decay, float step_size, float root, float grad_scale) {
  FOR_EACH(i, n) {
    const float g = grad[i] * grad_scale;
    const float mean = beta1 * m[i] + rest1 * g, square = beta2 * v[i] + rest2 * g * g;
    new_m[i] = mean;
    new_v[i] = square;
    new_param[i] = param[i] * decay - step_size * mean / (sqrtf(square) * root + eps);
  }
}
