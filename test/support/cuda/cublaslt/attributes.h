// Setting and reading descriptors' attributes by number and size.
#pragma once
#include <cstring>

#include "types.h"

namespace stub {

// Where an attribute lies in its descriptor.
struct Attribute {
  int number;
  std::size_t bytes;
  std::size_t offset;
};

template <int count>
Status set_attribute(const Attribute (&table)[count], const char* kind, void* descriptor, int number, const void* value, std::size_t bytes) {
  for (const Attribute& one : table) {
    if (one.number != number) continue;
    if (!value || bytes != one.bytes)
      return fail(INVALID_VALUE, std::string(kind) + " attribute " + std::to_string(number) + " takes " + std::to_string(one.bytes) +
                                   " bytes, got " + std::to_string(bytes));
    std::memcpy(static_cast<char*>(descriptor) + one.offset, value, bytes);
    return FINE;
  }
  return fail(INVALID_VALUE, std::string(kind) + ": the stub knows no attribute " + std::to_string(number));
}

template <int count>
Status get_attribute(const Attribute (&table)[count], void* descriptor, int number, void* value, std::size_t bytes, std::size_t* written) {
  for (const Attribute& one : table) {
    if (one.number != number) continue;
    if (written) *written = one.bytes;
    if (bytes < one.bytes) return bytes == 0 && written ? FINE : fail(INVALID_VALUE, "the buffer is too small");
    std::memcpy(value, static_cast<char*>(descriptor) + one.offset, one.bytes);
    return FINE;
  }
  return fail(INVALID_VALUE, "the stub knows no attribute " + std::to_string(number));
}

}  // namespace stub
