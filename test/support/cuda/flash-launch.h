// Kernels by name, from modules: shared objects that hold one source file each, compiled with emulator.h.
#pragma once
#include <dlfcn.h>

#include <string>
#include <vector>

#include "scheduler.h"

inline std::vector<void*> kernel_modules;

// Empty, or what a thread did wrong. `parameters` are addresses, as cuLaunchKernel takes them.
inline std::string launch_by_name(const std::string& name, unsigned grid, unsigned block, unsigned shared_bytes, void** parameters,
                                  const std::vector<int>& bytes) {
  for (void* module : kernel_modules) {
    const auto* kernel = (const emulation::Kernel*)dlsym(module, ("emulation_kernel_" + name).c_str());
    if (!kernel) continue;
    if (std::vector<int>(kernel->parameter_bytes, kernel->parameter_bytes + kernel->parameter_count) != bytes)
      return name + " takes other parameters";
    auto* shared = ((void* (*)())dlsym(module, "emulation_dynamic_shared_address"))();
    auto* runtime = (emulation::Runtime**)dlsym(module, "emulation_runtime");
    std::string failure;
    emulation::run_launch({name.c_str(), kernel->invoke, parameters, {grid, 1, 1}, {block, 1, 1}, shared_bytes, (unsigned char*)shared, nullptr,
                           0, runtime},
                          failure);
    return failure;
  }
  return "no kernel " + name;
}

template <class... P>
std::string launch(const std::string& kernel, unsigned grid, unsigned block, unsigned shared_bytes, P... values) {
  if (grid == 0) return "";
  void* parameters[] = {(void*)&values...};
  return launch_by_name(kernel, grid, block, shared_bytes, parameters, {(int)sizeof(P)...});
}
