// What the real library refuses.
#include "problem.h"

namespace stub {

std::size_t element_bytes(int type) { return type == R_32F ? 4 : 2; }

std::size_t extent(const Layout& l) {
  const std::uint64_t outer = l.order == COLUMNS ? l.columns : l.rows, inner = l.order == COLUMNS ? l.rows : l.columns;
  return static_cast<std::size_t>((l.batch - 1) * l.batch_stride + static_cast<std::int64_t>(outer - 1) * l.leading + static_cast<std::int64_t>(inner));
}

static Status check_layout(const char* name, const Layout& l) {
  const std::string matrix = std::string("matrix ") + name + ": ";
  if (l.type != R_32F && l.type != R_16BF) return fail(NOT_SUPPORTED, matrix + "the stub has no data type " + std::to_string(l.type));
  if (l.order != COLUMNS && l.order != ROWS) return fail(NOT_SUPPORTED, matrix + "the stub has no order " + std::to_string(l.order));
  if (l.rows == 0 || l.columns == 0) return fail(INVALID_VALUE, matrix + "it is empty");
  const std::int64_t least = static_cast<std::int64_t>(l.order == COLUMNS ? l.rows : l.columns);
  if (l.leading < least)
    return fail(INVALID_VALUE, matrix + "leading dimension " + std::to_string(l.leading) + " is less than " + std::to_string(least));
  if (l.batch < 1) return fail(INVALID_VALUE, matrix + "a batch of " + std::to_string(l.batch));
  return FINE;
}

Status check_descriptors(const Operation& o, const Layout& a, const Layout& b, const Layout& c, const Layout& d) {
  const struct { const char* name; const Layout& layout; } all[] = {{"A", a}, {"B", b}, {"C", c}, {"D", d}};
  for (const auto& one : all)
    if (const Status bad = check_layout(one.name, one.layout)) return bad;
  if (o.compute != COMPUTE_32F && o.compute != COMPUTE_32F_PEDANTIC && o.compute != COMPUTE_32F_FAST_TF32 && o.compute != COMPUTE_32F_FAST_16BF)
    return fail(NOT_SUPPORTED, "the stub has no compute type " + std::to_string(o.compute));
  if (o.scale_type != R_32F) return fail(NOT_SUPPORTED, "32-bit computation scales in R_32F");
  if (o.pointer_mode != 0 && o.pointer_mode != 1) return fail(NOT_SUPPORTED, "the stub has no pointer mode " + std::to_string(o.pointer_mode));
  if (a.type != b.type) return fail(NOT_SUPPORTED, "A and B differ in type");
  if (c.type != d.type) return fail(NOT_SUPPORTED, "C and D differ in type");
  if (a.type == R_32F && d.type != R_32F) return fail(NOT_SUPPORTED, "a bf16 result of f32 matrices");
  if (o.compute == COMPUTE_32F_FAST_TF32 && a.type != R_32F) return fail(NOT_SUPPORTED, "TF32 is for f32 matrices");
  if (o.transpose_a < 0 || o.transpose_a > 1 || o.transpose_b < 0 || o.transpose_b > 1) return fail(INVALID_VALUE, "an operation other than N and T");
  const std::uint64_t m = o.transpose_a ? a.columns : a.rows, k = o.transpose_a ? a.rows : a.columns;
  const std::uint64_t n = o.transpose_b ? b.rows : b.columns, k_b = o.transpose_b ? b.columns : b.rows;
  if (k != k_b) return fail(INVALID_VALUE, "op(A) has " + std::to_string(k) + " columns, op(B) " + std::to_string(k_b) + " rows");
  for (const Layout* result : {&c, &d})
    if (result->rows != m || result->columns != n)
      return fail(INVALID_VALUE, "C or D is not " + std::to_string(m) + " x " + std::to_string(n));
  if (a.batch != d.batch || b.batch != d.batch || c.batch != d.batch) return fail(INVALID_VALUE, "the batch counts differ");
  const int epilogue = o.epilogue & ~EPILOGUE_BIAS;
  if (epilogue != EPILOGUE_DEFAULT && epilogue != EPILOGUE_RELU && epilogue != EPILOGUE_GELU && epilogue != 0)
    return fail(NOT_SUPPORTED, "the stub has no epilogue " + std::to_string(o.epilogue));
  if (o.epilogue & EPILOGUE_BIAS) {
    // The library's table of supported types: a bias is of the result's type.
    if (o.bias_type != -1 && o.bias_type != d.type) return fail(NOT_SUPPORTED, "the bias is not of D's type");
    if (o.bias % 16) return fail(INVALID_VALUE, "the bias is not aligned to 16 bytes");
  }
  return FINE;
}

Status check_memory(const Problem& p) {
  const struct { const char* name; std::uint64_t at; const Layout& layout; bool used; } all[] = {
    {"A", p.a_data, p.a, true}, {"B", p.b_data, p.b, true}, {"C", p.c_data, p.c, p.operation.pointer_mode == 1 || p.beta != 0}, {"D", p.d_data, p.d, true}};
  for (const auto& one : all)
    if (one.used && stub_check_range((std::string("cublasLtMatmul, matrix ") + one.name).c_str(), one.at,
                                     extent(one.layout) * element_bytes(one.layout.type)))
      return EXECUTION_FAILED;
  if (p.operation.epilogue & EPILOGUE_BIAS &&
      stub_check_range("cublasLtMatmul, bias", p.operation.bias, p.d.rows * element_bytes(p.d.type)))
    return EXECUTION_FAILED;
  return FINE;
}

}  // namespace stub
