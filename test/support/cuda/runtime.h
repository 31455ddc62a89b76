// What a compiled kernel module and the emulator's scheduler know of each other.
//
// A module holds one pointer to the scheduler's Runtime, set by whoever launches. The running thread's indices are
// plain fields there: the scheduler rewrites them at every switch, so reading threadIdx costs one load.
#pragma once

namespace emulation {

struct Index {
  unsigned x, y, z;
};

// Where a thread waits: calls are told apart by their place in the source, which the compiler's cloning cannot change.
struct Site {
  const char* name;
  const char* file;
  int line;
};

// Runs once for a whole collective, when its last lane has arrived. lanes[i] is what lane i passed, null when lane i
// takes no part. Results are written into the lanes' own structures.
using Resolve = void (*)(void* const lanes[32], unsigned mask);

struct Runtime {
  Index thread, block, block_size, grid_size;
  unsigned lane;
  // Dynamic shared memory of the launch, in bytes.
  unsigned shared_bytes;
  void (*block_barrier)(Site);
  void (*warp_collective)(Site, unsigned mask, void* mine, Resolve);
  // Lanes of the calling thread's warp that have not finished.
  unsigned (*live_lanes)();
  // Ends the launch with this message; never returns.
  void (*fail)(const char* message);
};

// One kernel of a module, found by the symbol emulation_kernel_<name>.
struct Kernel {
  // Calls the kernel as the current thread; parameters as cuLaunchKernel takes them.
  void (*invoke)(void** parameters);
  int parameter_count;
  const int* parameter_bytes;
  // Whether each parameter is an address.
  const bool* parameter_is_pointer;
  // From __launch_bounds__, 0 when there is none.
  int max_threads;
};

}  // namespace emulation
