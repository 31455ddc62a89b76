// What the driver offers the other stub libraries (services.h).
#include "../services.h"

#include <memory>

#include "memory.h"
#include "stream.h"

using namespace stub;

API int stub_enqueue(void* stream_handle, int (*run)(void*), void (*release)(void*), void* data) {
  const std::shared_ptr<void> owned(data, release);
  return context_call([&]() -> Result {
    Stream* stream = find_stream(stream_handle);
    if (!stream) return INVALID_HANDLE;
    return enqueue(stream, [owned, run] { return static_cast<Result>(run(owned.get())); });
  });
}

API int stub_check_range(const char* what, unsigned long long address, std::size_t bytes) {
  return context_call([&] { return check_range(what, address, bytes); });
}

API int stub_has_context() { return current_context() != nullptr; }
