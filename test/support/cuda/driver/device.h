// The chip that the stub plays.
#pragma once
#include <cstddef>

namespace stub {

struct Chip {
  int capability;
  const char* name;
  int multiprocessors;
  // Bytes; per block when opted in.
  int shared_per_block, shared_per_multiprocessor;
  int threads_per_multiprocessor;
  int l2_bytes, bus_bits, memory_clock_khz, clock_khz;
  int blocks_per_multiprocessor;
};

const Chip& chip();

// MIMIC_STUB_MEMORY_BYTES, 4 GiB unless given.
std::size_t memory_limit();

}  // namespace stub
