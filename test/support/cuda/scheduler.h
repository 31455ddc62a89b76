// Runs launches: block after block, each block's threads as fibers.
#pragma once
#include <cstddef>
#include <string>

#include "runtime.h"

namespace emulation {

struct Launch {
  const char* name;
  void (*invoke)(void** parameters);
  void** parameters;
  Index grid, block;
  unsigned shared_bytes;
  // The module's dynamic shared memory, and the whole range that holds it and the static variables (or null).
  unsigned char* dynamic_shared;
  unsigned char* module_shared;
  std::size_t module_shared_bytes;
  Runtime** module_runtime;
};

// Runs the launch to its end. False when a thread misbehaved; then `failure` says which and how.
bool run_launch(const Launch& launch, std::string& failure);

// Blocks, warps and lanes from last to first: a result that changes depends on the order of threads.
void reverse_order(bool reversed);

// Whether the calling code is an emulated thread; fail_thread ends its launch.
bool in_emulated_thread();
[[noreturn]] void fail_thread(const char* message);

}  // namespace emulation
