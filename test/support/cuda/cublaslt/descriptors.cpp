// The handle and the descriptors of operations, layouts and preferences.
#include <cstdlib>
#include <new>
#include <set>

#include "attributes.h"

using namespace stub;

namespace {

const Attribute OPERATION[] = {
  {0, 4, offsetof(Operation, compute)},     {1, 4, offsetof(Operation, scale_type)},  {2, 4, offsetof(Operation, pointer_mode)},
  {3, 4, offsetof(Operation, transpose_a)}, {4, 4, offsetof(Operation, transpose_b)}, {7, 4, offsetof(Operation, epilogue)},
  {8, 8, offsetof(Operation, bias)},        {10, 8, offsetof(Operation, bias_batch_stride)},
  {15, 4, offsetof(Operation, sm_count)},   {26, 4, offsetof(Operation, bias_type)},
};
const Attribute LAYOUT[] = {
  {0, 4, offsetof(Layout, type)},    {1, 4, offsetof(Layout, order)},   {2, 8, offsetof(Layout, rows)},         {3, 8, offsetof(Layout, columns)},
  {4, 8, offsetof(Layout, leading)}, {5, 4, offsetof(Layout, batch)},   {6, 8, offsetof(Layout, batch_stride)},
};
const Attribute PREFERENCE[] = {
  {0, 4, offsetof(Preference, search_mode)},  {1, 8, offsetof(Preference, workspace_bytes)}, {3, 4, offsetof(Preference, reduction_mask)},
  {5, 4, offsetof(Preference, alignment[0])}, {6, 4, offsetof(Preference, alignment[1])},
  {7, 4, offsetof(Preference, alignment[2])}, {8, 4, offsetof(Preference, alignment[3])},
};

// The real structures' sizes.
const std::size_t OPERATION_BYTES = 256, SMALL_BYTES = 64;

std::set<void*> handles;

template <class T>
Status make(T** out, std::size_t bytes, const T& value) {
  if (!out) return fail(INVALID_VALUE, "nowhere to store the descriptor");
  *out = static_cast<T*>(std::calloc(1, bytes));
  new (*out) T(value);
  return FINE;
}

template <class T>
Status make_in(T* place, std::size_t size, std::size_t bytes, const T& value) {
  if (!place || size < bytes) return fail(INVALID_VALUE, "the structure is too small");
  std::memset(static_cast<void*>(place), 0, size);
  new (place) T(value);
  return FINE;
}

template <class T>
Status release(void* descriptor) {
  T* typed = valid<T>(descriptor);
  if (!typed) return fail(INVALID_VALUE, "no such descriptor (destroyed twice?)");
  typed->mark = 0;
  std::free(typed);
  return FINE;
}

Operation operation(int compute, int scale_type) {
  return {Operation::MARK, compute, scale_type, 0, 0, 0, EPILOGUE_DEFAULT, -1, 0, 0, 0};
}
Layout layout(int type, std::uint64_t rows, std::uint64_t columns, std::int64_t leading) {
  return {Layout::MARK, type, COLUMNS, rows, columns, leading, 0, 1, 0};
}
Preference preference() { return {Preference::MARK, 0, {256, 256, 256, 256}, 0, 0xffffffffu}; }

}  // namespace

namespace stub {
bool known_handle(void* handle) { return handles.count(handle) != 0; }
}  // namespace stub

API std::size_t cublasLtGetVersion() { return 120400; }
API std::size_t cublasLtGetCudartVersion() { return 12040; }

API const char* cublasLtGetStatusName(int status) {
  switch (status) {
    case FINE: return "CUBLAS_STATUS_SUCCESS";
    case NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
    case EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
    default: return "CUBLAS_STATUS unknown";
  }
}
API const char* cublasLtGetStatusString(int status) { return cublasLtGetStatusName(status); }

API Status cublasLtCreate(void** out) {
  if (!stub_has_context()) return fail(NOT_INITIALIZED, "cublasLtCreate without a current context");
  *out = std::malloc(1);
  handles.insert(*out);
  return FINE;
}
API Status cublasLtDestroy(void* handle) {
  if (!handles.erase(handle)) return fail(NOT_INITIALIZED, "no such handle (destroyed twice?)");
  std::free(handle);
  return FINE;
}

API Status cublasLtMatmulDescCreate(Operation** out, int compute, int scale_type) { return make(out, OPERATION_BYTES, operation(compute, scale_type)); }
API Status cublasLtMatmulDescInit_internal(Operation* place, std::size_t size, int compute, int scale_type) {
  return make_in(place, size, OPERATION_BYTES, operation(compute, scale_type));
}
API Status cublasLtMatmulDescDestroy(void* it) { return release<Operation>(it); }
API Status cublasLtMatmulDescSetAttribute(void* it, int number, const void* value, std::size_t bytes) {
  return valid<Operation>(it) ? set_attribute(OPERATION, "operation", it, number, value, bytes) : fail(INVALID_VALUE, "no such operation");
}
API Status cublasLtMatmulDescGetAttribute(void* it, int number, void* value, std::size_t bytes, std::size_t* written) {
  return valid<Operation>(it) ? get_attribute(OPERATION, it, number, value, bytes, written) : fail(INVALID_VALUE, "no such operation");
}

API Status cublasLtMatrixLayoutCreate(Layout** out, int type, std::uint64_t rows, std::uint64_t columns, std::int64_t leading) {
  return make(out, SMALL_BYTES, layout(type, rows, columns, leading));
}
API Status cublasLtMatrixLayoutInit_internal(Layout* place, std::size_t size, int type, std::uint64_t rows, std::uint64_t columns, std::int64_t leading) {
  return make_in(place, size, SMALL_BYTES, layout(type, rows, columns, leading));
}
API Status cublasLtMatrixLayoutDestroy(void* it) { return release<Layout>(it); }
API Status cublasLtMatrixLayoutSetAttribute(void* it, int number, const void* value, std::size_t bytes) {
  return valid<Layout>(it) ? set_attribute(LAYOUT, "layout", it, number, value, bytes) : fail(INVALID_VALUE, "no such layout");
}
API Status cublasLtMatrixLayoutGetAttribute(void* it, int number, void* value, std::size_t bytes, std::size_t* written) {
  return valid<Layout>(it) ? get_attribute(LAYOUT, it, number, value, bytes, written) : fail(INVALID_VALUE, "no such layout");
}

API Status cublasLtMatmulPreferenceCreate(Preference** out) { return make(out, SMALL_BYTES, preference()); }
API Status cublasLtMatmulPreferenceInit_internal(Preference* place, std::size_t size) { return make_in(place, size, SMALL_BYTES, preference()); }
API Status cublasLtMatmulPreferenceDestroy(void* it) { return release<Preference>(it); }
API Status cublasLtMatmulPreferenceSetAttribute(void* it, int number, const void* value, std::size_t bytes) {
  return valid<Preference>(it) ? set_attribute(PREFERENCE, "preference", it, number, value, bytes) : fail(INVALID_VALUE, "no such preference");
}
