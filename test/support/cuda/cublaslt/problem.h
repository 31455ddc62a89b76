// One matrix product as it was asked for, checked and ready to run.
#pragma once
#include "types.h"

namespace stub {

struct Problem {
  Operation operation;
  Layout a, b, c, d;
  // Addresses.
  std::uint64_t a_data, b_data, c_data, d_data;
  float alpha, beta;
  // Device addresses of the two in pointer mode 1.
  std::uint64_t alpha_at, beta_at;
};

// Whether the library has a kernel for these descriptors.
Status check_descriptors(const Operation& operation, const Layout& a, const Layout& b, const Layout& c, const Layout& d);
// Whether every matrix lies in device memory. `beta` not 0 reads C.
Status check_memory(const Problem& problem);
// Computes D; the memory was checked.
void multiply(const Problem& problem);

std::size_t element_bytes(int type);
// Elements from the first to the last that a layout's batch touches.
std::size_t extent(const Layout& layout);
bool known_handle(void* handle);

}  // namespace stub
