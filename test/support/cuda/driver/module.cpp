#include "module.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <set>

#include "device.h"
#include "stream.h"

namespace stub {
namespace {

const std::size_t DYNAMIC_RESERVED_BYTES = 233472;  // as emulated-shared-memory.h
const int SHARED_WITHOUT_OPT_IN = 49152;

std::set<Module*> modules;

Module* find_module(void* handle) {
  Module* module = static_cast<Module*>(handle);
  if (modules.count(module)) return module;
  fail(INVALID_HANDLE, "no such module");
  return nullptr;
}

// The calling thread's thread-local block of the library that holds `code`.
struct SharedBlock {
  void* code_base;
  char* start = nullptr;
  std::size_t bytes = 0;
};
int look_at_library(dl_phdr_info* info, std::size_t, void* data) {
  auto* block = static_cast<SharedBlock*>(data);
  if (reinterpret_cast<void*>(info->dlpi_addr) != block->code_base) return 0;
  for (int i = 0; i < info->dlpi_phnum; i++)
    if (info->dlpi_phdr[i].p_type == PT_TLS) block->bytes = info->dlpi_phdr[i].p_memsz;
  block->start = static_cast<char*>(info->dlpi_tls_data);
  return 1;
}

void* open_object(const void* bytes, std::size_t count, int& file) {
  file = memfd_create("mimic-stub-module", MFD_CLOEXEC);
  if (file < 0) return nullptr;
  std::size_t written = 0;
  while (written < count) {
    const ssize_t step = write(file, static_cast<const char*>(bytes) + written, count - written);
    if (step <= 0) break;
    written += static_cast<std::size_t>(step);
  }
  // dlopen takes equal paths for one library, so the file stays open as long as it is loaded and keeps its number.
  const std::string path = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(file);
  void* library = written == count ? dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (!library) fail(INVALID_IMAGE, written == count ? dlerror() : "the module could not be written");
  if (!library) close(file);
  return library;
}

Result load(void** out, const void* image) {
  if (const Result refused = refuse_while_capturing("cuModuleLoadData")) return refused;
  Image header;
  std::memcpy(&header, image, sizeof header);
  if (std::memcmp(header.magic, IMAGE_MAGIC, sizeof header.magic) != 0)
    return fail(INVALID_IMAGE, "not an image of the stub compiler");
  const unsigned device = static_cast<unsigned>(chip().capability);
  // Machine code runs on its own major version from its minor version on.
  if (header.capability && (header.capability / 10 != device / 10 || header.capability > device))
    return fail(NO_BINARY_FOR_GPU, "compiled for sm_" + std::to_string(header.capability) + ", the device is sm_" + std::to_string(device));
  int file;
  void* library = open_object(static_cast<const char*>(image) + sizeof header, header.object_bytes, file);
  if (!library) return INVALID_IMAGE;
  auto* module = new Module();
  module->library = library;
  module->file = file;
  module->capability = header.capability;
  module->runtime = static_cast<emulation::Runtime**>(dlsym(library, "emulation_runtime"));
  module->dynamic_shared = reinterpret_cast<void* (*)()>(dlsym(library, "emulation_dynamic_shared_address"));
  auto* dynamic = static_cast<char*>(module->dynamic_shared());
  Dl_info place;
  dladdr(reinterpret_cast<void*>(module->dynamic_shared), &place);
  SharedBlock block = {place.dli_fbase};
  dl_iterate_phdr(look_at_library, &block);
  module->shared_bytes = block.bytes;
  module->dynamic_offset = static_cast<std::size_t>(dynamic - block.start);
  modules.insert(module);
  *out = module;
  return SUCCESS;
}

}  // namespace

Module::~Module() {
  dlclose(library);
  close(file);
}

int Module::static_shared_bytes() const { return static_cast<int>(shared_bytes - DYNAMIC_RESERVED_BYTES); }

Function* find_function(void* handle) {
  for (Module* module : modules)
    for (const auto& entry : module->functions)
      if (entry.second.get() == handle) return entry.second.get();
  fail(INVALID_HANDLE, "no such function (is its module unloaded?)");
  return nullptr;
}

void release_modules() {
  for (Module* module : modules) delete module;
  modules.clear();
}

}  // namespace stub

using namespace stub;

API Result cuModuleLoadData(void** out, const void* image) {
  return context_call([&] { return load(out, image); });
}
// Options of the just-in-time compiler have nothing to act on.
API Result cuModuleLoadDataEx(void** out, const void* image, unsigned, void*, void*) { return cuModuleLoadData(out, image); }

API Result cuModuleUnload(void* handle) {
  return context_call([&]() -> Result {
    Module* module = find_module(handle);
    if (!module) return INVALID_HANDLE;
    if (const Result refused = refuse_while_capturing("cuModuleUnload")) return refused;
    if (const Result code = finish_all()) return code;
    modules.erase(module);
    delete module;
    return SUCCESS;
  });
}

API Result cuModuleGetFunction(void** out, void* handle, const char* name) {
  return context_call([&]() -> Result {
    Module* module = find_module(handle);
    if (!module) return INVALID_HANDLE;
    auto& function = module->functions[name];
    if (!function) {
      const auto* kernel = static_cast<const emulation::Kernel*>(dlsym(module->library, (std::string("emulation_kernel_") + name).c_str()));
      if (!kernel) {
        module->functions.erase(name);
        return fail(NOT_FOUND, std::string("the module has no kernel ") + name);
      }
      function.reset(new Function{name, kernel, module, SHARED_WITHOUT_OPT_IN - module->static_shared_bytes()});
    }
    *out = function.get();
    return SUCCESS;
  });
}

API Result cuFuncGetAttribute(int* out, int attribute, void* handle) {
  return context_call([&]() -> Result {
    const Function* function = find_function(handle);
    if (!function) return INVALID_HANDLE;
    const int bound = function->kernel->max_threads;
    switch (attribute) {
      case 0: return *out = bound ? bound : 1024, SUCCESS;
      case 1: return *out = function->module->static_shared_bytes(), SUCCESS;
      case 2: case 3: return *out = 0, SUCCESS;  // constant and local memory
      case 4: return *out = 32, SUCCESS;         // registers: the stub has no such thing
      case 5: case 6: return *out = static_cast<int>(function->module->capability), SUCCESS;
      case 8: return *out = function->dynamic_shared_limit, SUCCESS;
      default: return fail(INVALID_VALUE, "the stub knows no function attribute " + std::to_string(attribute));
    }
  });
}

API Result cuFuncSetAttribute(void* handle, int attribute, int value) {
  return context_call([&]() -> Result {
    Function* function = find_function(handle);
    if (!function) return INVALID_HANDLE;
    if (attribute == 9) return SUCCESS;  // a hint: the share of shared memory in the L1 cache
    if (attribute != 8) return fail(INVALID_VALUE, "function attribute " + std::to_string(attribute) + " cannot be set");
    if (value < 0 || value + function->module->static_shared_bytes() > chip().shared_per_block)
      return fail(INVALID_VALUE, std::to_string(value) + " bytes of dynamic shared memory are more than the chip has");
    function->dynamic_shared_limit = value;
    return SUCCESS;
  });
}
API Result cuFuncSetCacheConfig(void* handle, int) {
  return context_call([&]() -> Result { return find_function(handle) ? SUCCESS : INVALID_HANDLE; });
}
