// AdamW (Loshchilov and Hutter 2019) and dropout.
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

// One Philox-4x32-10 block (Salmon et al. 2011); the counter's high half is 0.
struct Words {
  u32 w[4];
};
DEVICE Words philox(u32 c0, u32 c1, u32 k0, u32 k1) {
  u32 c2 = 0, c3 = 0;
  for (int round = 0; round < 10; round++) {
    const unsigned long long p0 = (unsigned long long)0xd2511f53u * c0, p1 = (unsigned long long)0xcd9e8d57u * c2;
    c0 = (u32)(p1 >> 32) ^ c1 ^ k0;
    c2 = (u32)(p0 >> 32) ^ c3 ^ k1;
    c1 = (u32)p1;
    c3 = (u32)p0;
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return {{c0, c1, c2, c3}};
}

// Element i is dropped iff word i % 4 of block i / 4 under the key (seed, "drop") is below `threshold` = rate * 2^32.
// n counts blocks of four; `total` elements.
KERNEL dropout(const float* x, float* y, i64 n, i64 total, u32 seed, u32 threshold, float scale) {
  FOR_EACH(b, n) {
    const Words random = philox((u32)b, (u32)(b >> 32), seed, 0x64726f70u);
    for (int k = 0; k < 4; k++)
      if (b * 4 + k < total) y[b * 4 + k] = random.w[k] < threshold ? 0 : x[b * 4 + k] * scale;
  }
}
