// CUDA's device dialect for a host compiler: put before a kernel source (-include), the source's CUDA branch compiles
// as C++ whose threads run as fibers of one OS thread. Only what NVRTC offers without headers is declared here, so a
// kernel that needs more (INFINITY, <cmath>) fails to compile here as it would there.
#pragma once
#include "runtime.h"

#define __CUDACC__ 1
#define __CUDA_EMULATION__ 1
#ifndef __CUDA_ARCH__  // the stub compiler defines it
#define __CUDA_ARCH__ 800
#endif

// The exporter of kernels looks for exactly this text in front of a definition. Hidden, because a visible kernel named
// like a function of libc would be taken for that.
#define __global__ __attribute__((visibility("hidden"), noinline))
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(threads, ...) __attribute__((emulated_launch_bounds(threads)))
#define __align__(bytes) alignas(bytes)
#define __grid_constant__
// A module's thread-local block is its shared memory: `thread_local` gives a local array one place per module without
// a further `static`, and unlike `static` it can follow `extern`. No other thread-local variable may exist here.
#define __shared__ thread_local

extern "C" __attribute__((visibility("default"))) emulation::Runtime* emulation_runtime;
#define threadIdx (emulation_runtime->thread)
#define blockIdx (emulation_runtime->block)
#define blockDim (emulation_runtime->block_size)
#define gridDim (emulation_runtime->grid_size)
#define warpSize 32

#include "emulated-math.h"
#include "emulated-shared-memory.h"
#include "emulated-warp.h"
#if __has_include("warp-emulation.h")
#include "warp-emulation.h"
#endif

namespace emulation {

template <class T>
constexpr bool is_pointer = false;
template <class T>
constexpr bool is_pointer<T*> = true;

template <int... i>
struct Places {};
template <int count, int... i>
struct PlacesUpTo : PlacesUpTo<count - 1, count - 1, i...> {};
template <int... i>
struct PlacesUpTo<0, i...> {
  using type = Places<i...>;
};

// Unpacks cuLaunchKernel's array of parameter addresses.
template <class... P>
struct Parameters {
  static constexpr int count = sizeof...(P);
  static constexpr int bytes[count + 1] = {sizeof(P)..., 0};
  static constexpr bool pointers[count + 1] = {is_pointer<P>..., false};
  template <void (*kernel)(P...), int... i>
  static void call(void** parameters, Places<i...>) {
    kernel(*static_cast<P*>(parameters[i])...);
  }
  template <void (*kernel)(P...)>
  static void invoke(void** parameters) {
    call<kernel>(parameters, typename PlacesUpTo<count>::type());
  }
};
template <class... P>
Parameters<P...> parameters_of(void (*)(P...));

}  // namespace emulation

// Makes a kernel known to the loader; the stub compiler appends one line for each extern "C" kernel.
#define EMULATION_EXPORT(kernel, bounds)                                                                        \
  extern "C" __attribute__((visibility("default"))) const emulation::Kernel emulation_kernel_##kernel;          \
  const emulation::Kernel emulation_kernel_##kernel = {                                                         \
    decltype(emulation::parameters_of(&kernel))::template invoke<&kernel>,                                      \
    decltype(emulation::parameters_of(&kernel))::count, decltype(emulation::parameters_of(&kernel))::bytes,     \
    decltype(emulation::parameters_of(&kernel))::pointers, bounds};
