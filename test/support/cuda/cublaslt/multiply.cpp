// D = epilogue(alpha op(A) op(B) + beta C + bias), products and sums in f32.
#include <cmath>
#include <cstring>
#include <vector>

#include "problem.h"

namespace stub {
namespace {

float load(const void* base, std::size_t i, int type) {
  if (type == R_32F) return static_cast<const float*>(base)[i];
  const std::uint32_t bits = static_cast<std::uint32_t>(static_cast<const std::uint16_t*>(base)[i]) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

std::uint32_t bits_of(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

void store(void* base, std::size_t i, int type, float value) {
  if (type == R_32F) {
    static_cast<float*>(base)[i] = value;
    return;
  }
  const std::uint32_t bits = bits_of(value), rounded = bits + 0x7fffu + (bits >> 16 & 1u);
  static_cast<std::uint16_t*>(base)[i] = static_cast<std::uint16_t>((value != value ? bits | 0x400000u : rounded) >> 16);
}

// A tensor core's view of an operand: TF32 keeps 10 bits after the point, bf16 7.
float narrowed(float value, int compute) {
  const int dropped = compute == COMPUTE_32F_FAST_TF32 ? 13 : compute == COMPUTE_32F_FAST_16BF ? 16 : 0;
  if (dropped == 0 || !std::isfinite(value)) return value;
  const std::uint32_t bits = (bits_of(value) + (1u << (dropped - 1))) >> dropped << dropped;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

std::size_t place(const Layout& l, std::size_t row, std::size_t column) {
  const std::size_t leading = static_cast<std::size_t>(l.leading);
  return l.order == COLUMNS ? column * leading + row : row * leading + column;
}

// op(X) of one batch item, by rows and dense.
std::vector<float> dense(const Layout& l, std::uint64_t data, int item, bool transposed, int compute) {
  const auto* base = reinterpret_cast<const char*>(data) + item * l.batch_stride * static_cast<std::int64_t>(element_bytes(l.type));
  const std::size_t rows = transposed ? l.columns : l.rows, columns = transposed ? l.rows : l.columns;
  std::vector<float> values(rows * columns);
  for (std::size_t i = 0; i < rows; i++)
    for (std::size_t j = 0; j < columns; j++)
      values[i * columns + j] = narrowed(load(base, transposed ? place(l, j, i) : place(l, i, j), l.type), compute);
  return values;
}

// The library's GELU is the tanh approximation.
float activate(float x, int epilogue) {
  if (epilogue & EPILOGUE_RELU) return x > 0 ? x : 0;
  if (epilogue & EPILOGUE_GELU) return 0.5f * x * (1 + std::tanh(0.7978845608f * (x + 0.044715f * x * x * x)));
  return x;
}

}  // namespace

void multiply(const Problem& p) {
  const Operation& o = p.operation;
  const float alpha = o.pointer_mode ? *reinterpret_cast<const float*>(p.alpha_at) : p.alpha;
  const float beta = o.pointer_mode ? *reinterpret_cast<const float*>(p.beta_at) : p.beta;
  const std::size_t m = p.d.rows, n = p.d.columns, k = o.transpose_a ? p.a.rows : p.a.columns;
  for (int item = 0; item < p.d.batch; item++) {
    const std::vector<float> a = dense(p.a, p.a_data, item, o.transpose_a, o.compute), b = dense(p.b, p.b_data, item, o.transpose_b, o.compute);
    const auto* c = reinterpret_cast<const char*>(p.c_data) + item * p.c.batch_stride * static_cast<std::int64_t>(element_bytes(p.c.type));
    auto* d = reinterpret_cast<char*>(p.d_data) + item * p.d.batch_stride * static_cast<std::int64_t>(element_bytes(p.d.type));
    const auto* bias = reinterpret_cast<const char*>(o.bias) + item * o.bias_batch_stride * static_cast<std::int64_t>(element_bytes(p.d.type));
    std::vector<float> row(n);
    for (std::size_t i = 0; i < m; i++) {
      std::fill(row.begin(), row.end(), 0.0f);
      for (std::size_t l = 0; l < k; l++) {
        const float factor = a[i * k + l];
        for (std::size_t j = 0; j < n; j++) row[j] += factor * b[l * n + j];
      }
      const float shift = o.epilogue & EPILOGUE_BIAS ? load(bias, i, p.d.type) : 0.0f;
      for (std::size_t j = 0; j < n; j++) {
        // With beta 0, C is not read: it may hold NaN.
        const float kept = beta == 0 ? 0.0f : beta * load(c, place(p.c, i, j), p.c.type);
        store(d, place(p.d, i, j), p.d.type, activate(alpha * row[j] + kept + shift, o.epilogue));
      }
    }
  }
}

}  // namespace stub
