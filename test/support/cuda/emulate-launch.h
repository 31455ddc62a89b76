// Launches a kernel of the same program: for a small C++ test without the stub driver. Include it in one file only.
#pragma once
#include <string>

#include "emulator.h"
#include "scheduler.h"

extern "C" {
emulation::Runtime* emulation_runtime;
}

namespace emulation {
template <class T>
struct AsDeclared {
  using type = T;
};
template <class... P, int... i>
void call_with(void (*kernel)(P...), void** parameters, Places<i...>) {
  kernel(*static_cast<P*>(parameters[i])...);
}
}  // namespace emulation

// Runs the kernel with `shared_bytes` of dynamic shared memory. An empty string, or what a thread did wrong.
template <class... P>
std::string emulate_launch(void (*kernel)(P...), emulation::Index grid, emulation::Index block, unsigned shared_bytes,
                           typename emulation::AsDeclared<P>::type... values) {
  // The scheduler calls a plain function, which finds the kernel here.
  static void (*launched)(P...);
  launched = kernel;
  void* parameters[] = {&values..., nullptr};
  std::string failure;
  const emulation::Launch launch = {"under test",
                                    [](void** all) {
                                      emulation::call_with(launched, all, typename emulation::PlacesUpTo<sizeof...(P)>::type());
                                    },
                                    parameters,
                                    grid,
                                    block,
                                    shared_bytes,
                                    static_cast<unsigned char*>(emulation_dynamic_shared_address()),
                                    nullptr,
                                    0,
                                    &emulation_runtime};
  emulation::run_launch(launch, failure);
  return failure;
}
