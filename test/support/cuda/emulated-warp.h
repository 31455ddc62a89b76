// Barriers and warp shuffles. A call's place in the source comes from default arguments, so that threads which wait at
// different barriers are told apart.
#pragma once

#define EMULATION_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

static inline void __syncthreads(EMULATION_HERE) { emulation_runtime->block_barrier({"__syncthreads", file, line}); }
static inline void __threadfence() {}
static inline void __threadfence_block() {}
static inline void __trap() { emulation_runtime->fail("__trap()"); }
static inline void __nanosleep(unsigned) {}

namespace emulation {

// The way for one operation of a whole warp (a matrix product, say): every lane passes a structure, and `resolve` sees
// all of them at once.
template <class T>
inline void warp_collective(Site site, unsigned mask, T& mine, void (*resolve)(T* const lanes[32], unsigned mask)) {
  // One body for all T: lanes[] arrives as void pointers and the function's type is erased with them.
  emulation_runtime->warp_collective(site, mask, &mine, reinterpret_cast<Resolve>(resolve));
}

template <class T>
struct Exchange {
  T value;
  int source;
  T result;

  static void resolve(Exchange* const lanes[32], unsigned mask) {
    for (int lane = 0; lane < 32; lane++) {
      if (!(mask >> lane & 1) || !lanes[lane]) continue;
      const Exchange* from = lanes[lanes[lane]->source];
      if (!from) emulation_runtime->fail("a lane reads another lane that takes no part in the shuffle");
      lanes[lane]->result = from->value;
    }
  }
};

template <class T>
inline T exchange(Site site, unsigned mask, T value, int source) {
  Exchange<T> mine = {value, source, value};
  warp_collective(site, mask, mine, Exchange<T>::resolve);
  return mine.result;
}

struct Vote {
  bool value;
  unsigned result;

  static void resolve(Vote* const lanes[32], unsigned) {
    unsigned votes = 0;
    for (int lane = 0; lane < 32; lane++)
      if (lanes[lane] && lanes[lane]->value) votes |= 1u << lane;
    for (int lane = 0; lane < 32; lane++)
      if (lanes[lane]) lanes[lane]->result = votes;
  }
};

// Like the hardware: within its segment of `width` lanes a lane reads itself where the source lies outside.
inline int first_of_segment(int width) { return (int)emulation_runtime->lane & ~(width - 1); }

}  // namespace emulation

template <class T>
static inline T __shfl_sync(unsigned mask, T value, int source, int width = 32, EMULATION_HERE) {
  return emulation::exchange({"__shfl_sync", file, line}, mask, value, emulation::first_of_segment(width) + (source & (width - 1)));
}
template <class T>
static inline T __shfl_xor_sync(unsigned mask, T value, int flips, int width = 32, EMULATION_HERE) {
  const int lane = (int)emulation_runtime->lane, source = lane ^ flips;
  return emulation::exchange({"__shfl_xor_sync", file, line}, mask, value, source < emulation::first_of_segment(width) + width ? source : lane);
}
template <class T>
static inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, EMULATION_HERE) {
  const int lane = (int)emulation_runtime->lane, source = lane + (int)by;
  return emulation::exchange({"__shfl_down_sync", file, line}, mask, value, source < emulation::first_of_segment(width) + width ? source : lane);
}
template <class T>
static inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, EMULATION_HERE) {
  const int lane = (int)emulation_runtime->lane, source = lane - (int)by;
  return emulation::exchange({"__shfl_up_sync", file, line}, mask, value, source >= emulation::first_of_segment(width) ? source : lane);
}

static inline unsigned __ballot_sync(unsigned mask, bool value, EMULATION_HERE) {
  emulation::Vote mine = {value, 0};
  emulation::warp_collective({"__ballot_sync", file, line}, mask, mine, emulation::Vote::resolve);
  return mine.result;
}
static inline int __any_sync(unsigned mask, bool value, EMULATION_HERE) { return __ballot_sync(mask, value, file, line) != 0; }
static inline int __all_sync(unsigned mask, bool value, EMULATION_HERE) { return __ballot_sync(mask, !value, file, line) == 0; }
static inline void __syncwarp(unsigned mask = 0xffffffffu, EMULATION_HERE) { __ballot_sync(mask, true, file, line); }
// Every lane that has not finished: fibers of one warp never run side by side, so this is the most a GPU could answer.
static inline unsigned __activemask() { return emulation_runtime->live_lanes(); }

#undef EMULATION_HERE
