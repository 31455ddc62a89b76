// Looking functions up by their plain names.
#include <dlfcn.h>

#include "api.h"

// The plain name stands for the newest version that `cuda_version` knows; the stub has one version of each call.
API Result cuGetProcAddress_v2(const char* symbol, void** out, int cuda_version, unsigned long long, int* status) {
  Dl_info own;
  dladdr(reinterpret_cast<void*>(&cuGetProcAddress_v2), &own);
  void* library = dlopen(own.dli_fname, RTLD_NOW | RTLD_NOLOAD);
  void* found = nullptr;
  // From CUDA 12 on the plain name of this call means the version without flags.
  const std::string name = std::string(symbol) == "cuGraphInstantiate" && cuda_version >= 12000 ? "cuGraphInstantiateWithFlags" : symbol;
  for (const char* suffix : {"_v2", ""})
    if (!found) found = dlsym(library, (name + suffix).c_str());
  if (library) dlclose(library);
  *out = found;
  if (status) *status = found ? 0 : 1;
  return found ? SUCCESS : stub::fail(NOT_FOUND, std::string("the stub has no ") + symbol);
}
