#include "memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <map>

#include "device.h"
#include "stream.h"

namespace stub {
namespace {

const unsigned char MARGIN = 0xc5;
const unsigned char UNWRITTEN = 0xff;
// cuMemAlloc's granularity of accounting and its alignment.
const std::size_t UNIT_BYTES = 512, ALIGNMENT = 256;
// More than this is not filled: the pages would all be touched.
const std::size_t FILL_BYTES = 16 << 20;
// How far beside an allocation its margins are watched.
const std::size_t WATCHED_BYTES = 256;

std::map<Address, Allocation> live;
std::map<Address, std::size_t> pinned;
std::size_t used_bytes = 0;
char* range = nullptr;
std::size_t range_bytes = 0, next_offset = 0;

std::size_t page_bytes() {
  static const std::size_t bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}
std::size_t round_up(std::size_t value, std::size_t unit) { return (value + unit - 1) / unit * unit; }

void reserve_range() {
  for (range_bytes = std::size_t(1) << 40; range_bytes >= std::size_t(1) << 34; range_bytes >>= 1) {
    void* place = mmap(nullptr, range_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED) continue;
    range = static_cast<char*>(place);
    return;
  }
  std::abort();
}

bool free_span(std::size_t offset, std::size_t bytes) {
  const Address start = reinterpret_cast<Address>(range + offset);
  const auto after = live.lower_bound(start);
  if (after != live.end() && reinterpret_cast<Address>(after->second.pages) < start + bytes) return false;
  if (after == live.begin()) return true;
  const Allocation& before = std::prev(after)->second;
  return before.pages + before.mapped_bytes <= range + offset;
}

char* map_pages(std::size_t bytes) {
  if (!range) reserve_range();
  for (std::size_t tries = 0; tries < 1 << 20; tries++) {
    if (next_offset + bytes + 2 * page_bytes() > range_bytes) next_offset = 0;
    const std::size_t offset = next_offset + page_bytes();
    next_offset = offset + bytes;
    if (!free_span(offset, bytes)) continue;
    if (mprotect(range + offset, bytes, PROT_READ | PROT_WRITE) != 0) return nullptr;
    return range + offset;
  }
  return nullptr;
}

void unmap(const Allocation& allocation) {
  madvise(allocation.pages, allocation.mapped_bytes, MADV_DONTNEED);
  mprotect(allocation.pages, allocation.mapped_bytes, PROT_NONE);
  used_bytes -= round_up(allocation.bytes, UNIT_BYTES);
}

std::string hex(Address address) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", address);
  return text;
}

}  // namespace

std::size_t memory_limit() { return std::strtoull(option("MIMIC_STUB_MEMORY_BYTES", "4294967296").c_str(), nullptr, 10); }

bool in_device_range(Address address) {
  const auto place = reinterpret_cast<char*>(address);
  return range && place >= range && place < range + range_bytes;
}

const Allocation* find_allocation(Address address, std::size_t bytes) {
  auto after = live.upper_bound(address);
  if (after == live.begin()) return nullptr;
  const Allocation& found = std::prev(after)->second;
  return address + bytes <= found.start + found.bytes ? &found : nullptr;
}

Result check_range(const char* what, Address address, std::size_t bytes) {
  if (find_allocation(address, bytes)) return SUCCESS;
  const std::string span = std::string(what) + " " + hex(address) + " (" + std::to_string(bytes) + " bytes) ";
  if (!in_device_range(address)) return fail(ILLEGAL_ADDRESS, span + "is not an address of the device");
  const Allocation* start = find_allocation(address, 0);
  return fail(ILLEGAL_ADDRESS, start ? span + "passes the end of an allocation of " + std::to_string(start->bytes) + " bytes"
                                     : span + "is not allocated (freed before, or never)");
}

Result check_margins(const Allocation& a, const char* after) {
  const auto* start = reinterpret_cast<const unsigned char*>(a.start);
  const auto* first = reinterpret_cast<const unsigned char*>(a.pages);
  const auto* last = first + a.mapped_bytes;
  const auto complain = [&](const char* where) {
    return fail(ILLEGAL_ADDRESS, std::string(after) + " wrote " + where + " the allocation at " + hex(a.start) + " of " +
                                   std::to_string(a.bytes) + " bytes");
  };
  for (const auto* p = start; p > first && p > start - WATCHED_BYTES; p--)
    if (p[-1] != MARGIN) return complain("before");
  for (const auto* p = start + a.bytes; p < last && p < start + a.bytes + WATCHED_BYTES; p++)
    if (*p != MARGIN) return complain("past the end of");
  return SUCCESS;
}

Result check_all_margins(const char* after) {
  for (const auto& entry : live)
    if (const Result code = check_margins(entry.second, after)) return code;
  return SUCCESS;
}

bool is_pinned(const void* address, std::size_t bytes) {
  const Address start = reinterpret_cast<Address>(address);
  auto after = pinned.upper_bound(start);
  if (after == pinned.begin()) return false;
  --after;
  return start + bytes <= after->first + after->second;
}

void release_memory() {
  for (const auto& entry : live) unmap(entry.second);
  for (const auto& entry : pinned) std::free(reinterpret_cast<void*>(entry.first));
  live.clear();
  pinned.clear();
}

}  // namespace stub

using namespace stub;

API Result cuMemGetInfo_v2(std::size_t* free_bytes, std::size_t* total_bytes) {
  return context_call([&] { return *total_bytes = memory_limit(), *free_bytes = *total_bytes - used_bytes, SUCCESS; });
}

API Result cuMemAlloc_v2(Address* out, std::size_t bytes) {
  return context_call([&]() -> Result {
    if (const Result refused = refuse_while_capturing("cuMemAlloc")) return refused;
    if (bytes == 0) return fail(INVALID_VALUE, "cuMemAlloc of 0 bytes");
    const std::size_t charged = round_up(bytes, UNIT_BYTES);
    if (charged > memory_limit() - used_bytes) return fail(OUT_OF_MEMORY, "more than the stub device's memory");
    const std::size_t padded = round_up(bytes, ALIGNMENT), mapped = round_up(padded, page_bytes());
    char* pages = map_pages(mapped);
    if (!pages) return fail(OUT_OF_MEMORY, "the host refused the pages");
    // At the end of its pages, so that reading past it soon faults.
    char* start = pages + mapped - padded;
    std::memset(pages, MARGIN, static_cast<std::size_t>(start - pages));
    std::memset(start + bytes, MARGIN, padded - bytes);
    if (bytes <= FILL_BYTES) std::memset(start, UNWRITTEN, bytes);
    used_bytes += charged;
    *out = reinterpret_cast<Address>(start);
    live[*out] = {*out, bytes, pages, mapped};
    return SUCCESS;
  });
}

API Result cuMemFree_v2(Address address) {
  return context_call([&]() -> Result {
    if (const Result refused = refuse_while_capturing("cuMemFree")) return refused;
    if (address == 0) return SUCCESS;
    const auto found = live.find(address);
    if (found == live.end()) return fail(INVALID_VALUE, hex(address) + " is not the start of an allocation (freed twice?)");
    // Freeing waits for all work, as the real call does.
    if (const Result code = finish_all()) return code;
    const Result intact = check_margins(found->second, "a kernel");
    unmap(found->second);
    live.erase(found);
    return intact;
  });
}

API Result cuMemGetAddressRange_v2(Address* start, std::size_t* bytes, Address address) {
  return context_call([&]() -> Result {
    const Allocation* found = find_allocation(address, 0);
    if (!found) return fail(NOT_FOUND, hex(address) + " is not allocated");
    if (start) *start = found->start;
    if (bytes) *bytes = found->bytes;
    return SUCCESS;
  });
}

API Result cuMemHostAlloc(void** out, std::size_t bytes, unsigned) {
  return context_call([&]() -> Result {
    if (const Result refused = refuse_while_capturing("cuMemHostAlloc")) return refused;
    if (bytes == 0) return fail(INVALID_VALUE, "0 bytes of pinned memory");
    *out = std::aligned_alloc(4096, round_up(bytes, 4096));
    if (!*out) return fail(OUT_OF_MEMORY, "the host has no memory");
    pinned[reinterpret_cast<Address>(*out)] = bytes;
    return SUCCESS;
  });
}
API Result cuMemAllocHost_v2(void** out, std::size_t bytes) { return cuMemHostAlloc(out, bytes, 0); }
API Result cuMemFreeHost(void* address) {
  return context_call([&]() -> Result {
    if (const Result refused = refuse_while_capturing("cuMemFreeHost")) return refused;
    if (!pinned.count(reinterpret_cast<Address>(address))) return fail(INVALID_VALUE, "not pinned memory, or freed twice");
    if (const Result code = finish_all()) return code;
    pinned.erase(reinterpret_cast<Address>(address));
    std::free(address);
    return SUCCESS;
  });
}

// For leak checks: bytes and pieces of device memory in use.
API std::size_t stub_used_bytes() { return used_bytes; }
API std::size_t stub_allocations() { return live.size(); }
