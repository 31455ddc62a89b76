// Copies and fills. Pageable host memory behaves as the driver documents: read before the call returns, written before
// it returns; only pinned memory is touched later.
#include <cstring>

#include "memory.h"
#include "stream.h"

namespace stub {
namespace {

Result run_on(void* handle, Work work) {
  Stream* stream = find_stream(handle);
  return stream ? enqueue(stream, std::move(work)) : INVALID_HANDLE;
}

Result to_device(void* handle, Address to, const void* from, std::size_t bytes) {
  if (const Result code = check_range("destination", to, bytes)) return code;
  Stream* stream = find_stream(handle);
  if (!stream) return INVALID_HANDLE;
  const auto write = [to, bytes](const void* source) {
    if (const Result code = check_range("destination", to, bytes)) return code;
    std::memcpy(reinterpret_cast<void*>(to), source, bytes);
    return SUCCESS;
  };
  if (is_pinned(from, bytes)) return enqueue(stream, [write, from] { return write(from); });
  if (stream->capture)
    return fail(INVALID_VALUE, "a captured copy reads pageable host memory, which may have moved when the graph runs");
  const auto* first = static_cast<const unsigned char*>(from);
  return enqueue(stream, [write, staged = std::vector<unsigned char>(first, first + bytes)] { return write(staged.data()); });
}

Result to_host(void* handle, void* to, Address from, std::size_t bytes) {
  if (const Result code = check_range("source", from, bytes)) return code;
  Stream* stream = find_stream(handle);
  if (!stream) return INVALID_HANDLE;
  const bool later = is_pinned(to, bytes);
  if (!later && stream->capture) return fail(INVALID_VALUE, "a captured copy writes pageable host memory");
  const Result code = enqueue(stream, [to, from, bytes] {
    if (const Result bad = check_range("source", from, bytes)) return bad;
    std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
    return SUCCESS;
  });
  return code || later ? code : finish(stream);
}

Result within_device(void* handle, Address to, Address from, std::size_t bytes) {
  const auto check = [=] {
    const Result code = check_range("destination", to, bytes);
    return code ? code : check_range("source", from, bytes);
  };
  if (const Result code = check()) return code;
  return run_on(handle, [=] {
    if (const Result code = check()) return code;
    std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
    return SUCCESS;
  });
}

template <class T>
Result fill(void* handle, Address to, T value, std::size_t count) {
  if (to % sizeof(T)) return fail(INVALID_VALUE, "a fill that is not aligned to its element");
  if (const Result code = check_range("destination", to, count * sizeof(T))) return code;
  return run_on(handle, [=] {
    if (const Result code = check_range("destination", to, count * sizeof(T))) return code;
    for (std::size_t i = 0; i < count; i++) reinterpret_cast<T*>(to)[i] = value;
    return SUCCESS;
  });
}

// The calls without a stream wait for the null stream's turn, and no capture may be under way.
template <class Body>
Result waiting_call(const char* name, Body body) {
  return context_call([&]() -> Result {
    if (const Result refused = refuse_while_capturing(name)) return refused;
    if (const Result code = finish_blocking_streams()) return code;
    return body();
  });
}

}  // namespace
}  // namespace stub

using namespace stub;

API Result cuMemcpyHtoD_v2(Address to, const void* from, std::size_t bytes) {
  return waiting_call("cuMemcpyHtoD", [&] { return to_device(nullptr, to, from, bytes); });
}
API Result cuMemcpyDtoH_v2(void* to, Address from, std::size_t bytes) {
  return waiting_call("cuMemcpyDtoH", [&] { return to_host(nullptr, to, from, bytes); });
}
API Result cuMemcpyDtoD_v2(Address to, Address from, std::size_t bytes) {
  return waiting_call("cuMemcpyDtoD", [&] { return within_device(nullptr, to, from, bytes); });
}
API Result cuMemsetD8_v2(Address to, unsigned char value, std::size_t count) {
  return waiting_call("cuMemsetD8", [&] { return fill(nullptr, to, value, count); });
}
API Result cuMemsetD16_v2(Address to, unsigned short value, std::size_t count) {
  return waiting_call("cuMemsetD16", [&] { return fill(nullptr, to, value, count); });
}
API Result cuMemsetD32_v2(Address to, unsigned value, std::size_t count) {
  return waiting_call("cuMemsetD32", [&] { return fill(nullptr, to, value, count); });
}
API Result cuMemcpyHtoDAsync_v2(Address to, const void* from, std::size_t bytes, void* stream) {
  return context_call([&] { return to_device(stream, to, from, bytes); });
}
API Result cuMemcpyDtoHAsync_v2(void* to, Address from, std::size_t bytes, void* stream) {
  return context_call([&] { return to_host(stream, to, from, bytes); });
}
API Result cuMemcpyDtoDAsync_v2(Address to, Address from, std::size_t bytes, void* stream) {
  return context_call([&] { return within_device(stream, to, from, bytes); });
}
API Result cuMemsetD8Async(Address to, unsigned char value, std::size_t count, void* stream) {
  return context_call([&] { return fill(stream, to, value, count); });
}
API Result cuMemsetD16Async(Address to, unsigned short value, std::size_t count, void* stream) {
  return context_call([&] { return fill(stream, to, value, count); });
}
API Result cuMemsetD32Async(Address to, unsigned value, std::size_t count, void* stream) {
  return context_call([&] { return fill(stream, to, value, count); });
}
