// Device memory: pieces of one reserved range of addresses, each between unmapped pages. Freed addresses are not used
// again for long, so that a stale pointer faults.
#pragma once
#include <cstddef>
#include <string>

#include "api.h"

namespace stub {

struct Allocation {
  Address start;
  std::size_t bytes;
  // The mapped pages around it; what the caller did not ask for is filled with a pattern.
  char* pages;
  std::size_t mapped_bytes;
};

bool in_device_range(Address address);
// The live allocation that holds [address, address + bytes), or null; `bytes` may be 0 at its end.
const Allocation* find_allocation(Address address, std::size_t bytes);
// SUCCESS, or ILLEGAL_ADDRESS with the reason noted.
Result check_range(const char* what, Address address, std::size_t bytes);
// Whether the bytes around an allocation are as they were.
Result check_margins(const Allocation& allocation, const char* after);
Result check_all_margins(const char* after);
// Whether [address, address + bytes) is pinned host memory.
bool is_pinned(const void* address, std::size_t bytes);

}  // namespace stub
