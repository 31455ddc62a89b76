// What every file of the stub driver shares: the C interface's types, and the checks at the start of a call.
#pragma once
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>

#define API extern "C" __attribute__((visibility("default")))

using Address = unsigned long long;

// CUresult: only the values that the stub returns.
enum Result : int {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NOT_INITIALIZED = 3,
  NO_DEVICE = 100,
  INVALID_DEVICE = 101,
  INVALID_IMAGE = 200,
  INVALID_CONTEXT = 201,
  NO_BINARY_FOR_GPU = 209,
  INVALID_HANDLE = 400,
  NOT_FOUND = 500,
  NOT_READY = 600,
  ILLEGAL_ADDRESS = 700,
  LAUNCH_OUT_OF_RESOURCES = 701,
  CONTEXT_IS_DESTROYED = 709,
  LAUNCH_FAILED = 719,
  NOT_SUPPORTED = 801,
  CAPTURE_UNSUPPORTED = 900,
  CAPTURE_INVALIDATED = 901,
  CAPTURE_MERGE = 902,
  CAPTURE_UNMATCHED = 903,
  CAPTURE_UNJOINED = 904,
  CAPTURE_ISOLATION = 905,
  CAPTURE_IMPLICIT = 906,
  CAPTURED_EVENT = 907,
};

namespace stub {

// Notes why a call is about to fail, for stub_last_failure, and gives the code back.
Result fail(Result code, const std::string& why);

// An option by its environment variable, unless stub_configure has set it.
std::string option(const char* name, const char* otherwise);

// One at a time: the real driver is thread-safe too.
std::recursive_mutex& driver_mutex();

bool initialised();
// The calling thread's current context, or null.
void* current_context();
// SUCCESS, or the error of a kernel that failed earlier: it stays until the context is reset, as on a GPU.
Result context_error();
void set_context_error(Result code);

template <class Body>
Result call(Body body) {
  const std::lock_guard<std::recursive_mutex> lock(driver_mutex());
  if (!initialised()) return fail(NOT_INITIALIZED, "called before cuInit");
  return body();
}

// For calls that need a current context without an earlier failure.
template <class Body>
Result context_call(Body body) {
  return call([&]() -> Result {
    if (!current_context()) return fail(INVALID_CONTEXT, "the calling thread has no current context");
    if (const Result earlier = context_error()) return earlier;
    return body();
  });
}

// Everything belongs to the one context; its end takes all with it.
void release_memory();
void release_streams();
void release_modules();

}  // namespace stub
