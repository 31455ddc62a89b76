// AdamW (Loshchilov and Hutter 2019), and sums of squares for clipping: of one tensor, or of many in one launch.
#include "device.h"

// One step as PyTorch does it: decay decoupled from the gradient, eps outside the root.
//   decay = 1 - lr * weight_decay; step_size = lr / (1 - beta1^t); root = 1 / sqrt(1 - beta2^t)
struct Adam {
  float beta1, beta2, rest1, rest2, eps, decay, step_size, root, grad_scale;
};

DEVICE void update(const Adam& a, float param, float grad, float m, float v, float& new_param, float& new_m, float& new_v) {
  const float g = grad * a.grad_scale;
  const float mean = a.beta1 * m + a.rest1 * g, square = a.beta2 * v + a.rest2 * g * g;
  new_m = mean;
  new_v = square;
  new_param = param * a.decay - a.step_size * mean / (sqrtf(square) * a.root + a.eps);
}

KERNEL adamw(const float* param, const float* grad, const float* m, const float* v, float* new_param, float* new_m, float* new_v, i64 n,
  float beta1, float beta2, float rest1, float rest2, float eps, float decay, float step_size, float root, float grad_scale) {
  const Adam a = {beta1, beta2, rest1, rest2, eps, decay, step_size, root, grad_scale};
  FOR_EACH(i, n) update(a, param[i], grad[i], m[i], v[i], new_param[i], new_m[i], new_v[i]);
}

// Many tensors: a table of `tensors` entries of `width` words (register/tensor-table.ts) cuts them into rows, whole chunks of
// one tensor each. Word 0 is the first row of an entry, word 1 its elements a row, word 2 its elements in all.
struct Chunk {
  const i64* entry;
  i64 first, count;
};

DEVICE Chunk chunk_of(const i64* table, i64 tensors, i64 width, i64 row) {
  i64 low = 0, high = tensors;
  while (high - low > 1) {
    const i64 middle = (low + high) / 2;
    if (table[middle * width] <= row)
      low = middle;
    else
      high = middle;
  }
  const i64* entry = table + low * width;
  const i64 first = (row - entry[0]) * entry[1];
  return {entry, first, entry[2] - first < entry[1] ? entry[2] - first : entry[1]};
}

DEVICE float low_float(i64 word) { return float_of_bits((u32)word); }
DEVICE float high_float(i64 word) { return float_of_bits((u32)((unsigned long long)word >> 32)); }

// Words 3 to 9: addresses of the gradient, the parameter, m, v and where the last three go, in place or not. Word 10: decay
// and step_size; word 11: root.
KERNEL adamw_many(const i64* table, i64 rows, i64 tensors, i64 width, float beta1, float beta2, float rest1, float rest2, float eps,
  float grad_scale) {
  FOR_ROW(r, rows, 4096) {
    const Chunk c = chunk_of(table, tensors, width, r);
    const float* grad = (const float*)c.entry[3] + c.first;
    const float* param = (const float*)c.entry[4] + c.first;
    const float* m = (const float*)c.entry[5] + c.first;
    const float* v = (const float*)c.entry[6] + c.first;
    float* new_param = (float*)c.entry[7] + c.first;
    float* new_m = (float*)c.entry[8] + c.first;
    float* new_v = (float*)c.entry[9] + c.first;
    const Adam a = {beta1, beta2, rest1, rest2, eps, low_float(c.entry[10]), high_float(c.entry[10]), low_float(c.entry[11]), grad_scale};
    FOR_LANE(i, c.count) update(a, param[i], grad[i], m[i], v[i], new_param[i], new_m[i], new_v[i]);
  }
}

// Word 3: a tensor's address. partial[row] = the sum of its chunk's squares.
KERNEL sum_squares_many(const i64* table, float* partial, i64 rows, i64 tensors, i64 width) {
  FOR_ROW(r, rows, 4096) {
    const Chunk c = chunk_of(table, tensors, width, r);
    const float* x = (const float*)c.entry[3] + c.first;
    float sum = 0;
    FOR_LANE_SUM(sum, i, c.count) sum += x[i] * x[i];
    sum = block_sum(sum);
    if (FIRST_LANE) partial[r] = sum;
  }
}

// y[tensor] = the sum of its chunks' partial sums. A row is one tensor.
KERNEL sum_chunks(const i64* table, const float* partial, float* y, i64 rows, i64 width) {
  FOR_ROW(r, rows, 64) {
    const i64* entry = table + r * width;
    const float* x = partial + entry[0];
    const i64 count = (entry[2] + entry[1] - 1) / entry[1];
    float sum = 0;
    FOR_LANE_SUM(sum, i, count) sum += x[i];
    sum = block_sum(sum);
    if (FIRST_LANE) y[r] = sum;
  }
}
