// Compiled modules and their kernels.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "../runtime.h"
#include "api.h"

namespace stub {

// What the stub compiler hands out as a cubin: this header, then a shared object.
struct Image {
  char magic[8];
  // Compute capability it was compiled for, 0 for PTX.
  unsigned capability;
  unsigned reserved;
  unsigned long long object_bytes;
};
constexpr char IMAGE_MAGIC[8] = {'M', 'I', 'M', 'I', 'C', 'S', 'O', '1'};

struct Module;

struct Function {
  std::string name;
  const emulation::Kernel* kernel;
  Module* module;
  // What the caller has allowed itself, in bytes.
  int dynamic_shared_limit;
};

struct Module {
  Module() = default;
  Module(const Module&) = delete;
  ~Module();

  void* library;
  int file;
  unsigned capability;
  emulation::Runtime** runtime;
  void* (*dynamic_shared)();
  // The thread-local block that is its shared memory: size, and where the dynamic part begins in it.
  std::size_t shared_bytes, dynamic_offset;
  std::map<std::string, std::unique_ptr<Function>> functions;

  // Static shared memory of the module's kernels together: the most that one of them can have.
  int static_shared_bytes() const;
};

Function* find_function(void* handle);

}  // namespace stub
