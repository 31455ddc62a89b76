// The first among the best of a row, found by the lanes of a block together. On the host one lane walks the row alone.
#pragma once
#include "device.h"

#ifdef __CUDACC__

// An element and its place in the row; `at` < 0: none.
template <class T>
struct Candidate {
  T value;
  int at;

  // Larger before smaller, a number before NaN, the lower place among equals.
  MEMBER bool before(const Candidate& other) const {
    if (at < 0 || other.at < 0) return other.at < 0 && at >= 0;
    if (value > other.value || (other.value != other.value && value == value)) return true;
    if (value < other.value || (value != value && other.value == other.value)) return false;
    return at < other.at;
  }
};

template <class T>
DEVICE Candidate<T> warp_best(Candidate<T> mine) {
  for (int offset = 16; offset > 0; offset /= 2) {
    const Candidate<T> other = {__shfl_xor_sync(0xffffffffu, mine.value, offset), __shfl_xor_sync(0xffffffffu, mine.at, offset)};
    if (other.before(mine)) mine = other;
  }
  return mine;
}

// All lanes get the block's best; every lane must call.
template <class T>
DEVICE Candidate<T> block_best(Candidate<T> mine) {
  __shared__ T values[32];
  __shared__ int places[32];
  const int lane = threadIdx.x % 32, warps = (blockDim.x + 31) / 32;
  mine = warp_best(mine);
  __syncthreads();
  if (lane == 0) values[threadIdx.x / 32] = mine.value, places[threadIdx.x / 32] = mine.at;
  __syncthreads();
  mine.at = lane < warps ? places[lane] : -1;
  mine.value = lane < warps ? values[lane] : T(0);
  return warp_best(mine);
}

#endif
