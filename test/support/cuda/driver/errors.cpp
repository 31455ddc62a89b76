// Error names and texts, and the reason of the last failure.
#include <cstdlib>
#include <cstring>
#include <map>

#include "api.h"

namespace {

struct Text {
  const char* name;
  const char* text;
};

const std::map<int, Text> TEXTS = {
  {SUCCESS, {"CUDA_SUCCESS", "no error"}},
  {INVALID_VALUE, {"CUDA_ERROR_INVALID_VALUE", "invalid argument"}},
  {OUT_OF_MEMORY, {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}},
  {NOT_INITIALIZED, {"CUDA_ERROR_NOT_INITIALIZED", "initialization error"}},
  {NO_DEVICE, {"CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"}},
  {INVALID_DEVICE, {"CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"}},
  {INVALID_IMAGE, {"CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"}},
  {INVALID_CONTEXT, {"CUDA_ERROR_INVALID_CONTEXT", "invalid device context"}},
  {NO_BINARY_FOR_GPU, {"CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"}},
  {INVALID_HANDLE, {"CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"}},
  {NOT_FOUND, {"CUDA_ERROR_NOT_FOUND", "named symbol not found"}},
  {NOT_READY, {"CUDA_ERROR_NOT_READY", "device not ready"}},
  {ILLEGAL_ADDRESS, {"CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"}},
  {LAUNCH_OUT_OF_RESOURCES, {"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"}},
  {CONTEXT_IS_DESTROYED, {"CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"}},
  {LAUNCH_FAILED, {"CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"}},
  {NOT_SUPPORTED, {"CUDA_ERROR_NOT_SUPPORTED", "operation not supported"}},
  {CAPTURE_UNSUPPORTED, {"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"}},
  {CAPTURE_INVALIDATED, {"CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"}},
  {CAPTURE_MERGE, {"CUDA_ERROR_STREAM_CAPTURE_MERGE", "operation would result in a merge of separate capture sequences"}},
  {CAPTURE_UNMATCHED, {"CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "capture was not ended in the same stream as it began"}},
  {CAPTURE_UNJOINED, {"CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "capturing stream has unjoined work"}},
  {CAPTURE_ISOLATION, {"CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "dependency created on uncaptured work in another stream"}},
  {CAPTURE_IMPLICIT, {"CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", "operation would make the legacy stream depend on a capturing blocking stream"}},
  {CAPTURED_EVENT, {"CUDA_ERROR_CAPTURED_EVENT", "operation not permitted on an event last recorded in a capturing stream"}},
};

std::string& last_failure() {
  static std::string text;
  return text;
}
std::map<std::string, std::string>& options() {
  static std::map<std::string, std::string> set;
  return set;
}

}  // namespace

namespace stub {

Result fail(Result code, const std::string& why) {
  last_failure() = why;
  return code;
}

std::string option(const char* name, const char* otherwise) {
  const auto set = options().find(name);
  if (set != options().end()) return set->second;
  const char* value = std::getenv(name);
  return value && *value ? value : otherwise;
}

std::recursive_mutex& driver_mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

}  // namespace stub

API Result cuGetErrorName(int code, const char** out) {
  const auto found = TEXTS.find(code);
  *out = found == TEXTS.end() ? nullptr : found->second.name;
  return *out ? SUCCESS : INVALID_VALUE;
}
API Result cuGetErrorString(int code, const char** out) {
  const auto found = TEXTS.find(code);
  *out = found == TEXTS.end() ? nullptr : found->second.text;
  return *out ? SUCCESS : INVALID_VALUE;
}

// Why the last failing call failed, in words; a GPU would not say.
API const char* stub_last_failure() {
  const std::lock_guard<std::recursive_mutex> lock(stub::driver_mutex());
  static std::string copy;
  copy = last_failure();
  return copy.c_str();
}
// For the other stub libraries.
API void stub_note_failure(const char* why) {
  const std::lock_guard<std::recursive_mutex> lock(stub::driver_mutex());
  last_failure() = why;
}
// Sets an option in place of its environment variable (which a loaded library sees only as the process began).
API void stub_configure(const char* name, const char* value) {
  const std::lock_guard<std::recursive_mutex> lock(stub::driver_mutex());
  if (*value) options()[name] = value;
  else options().erase(name);
}
