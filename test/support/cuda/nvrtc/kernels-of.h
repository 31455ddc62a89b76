// Which kernels a preprocessed source defines.
#pragma once
#include <string>
#include <vector>

namespace stub {

struct KernelDefinition {
  std::string name;
  // The expression of __launch_bounds__, or "0".
  std::string max_threads;
};

// The extern "C" kernels, once each.
std::vector<KernelDefinition> kernels_of(const std::string& preprocessed);

// The names in `extern __shared__ T name[]`, once each.
std::vector<std::string> dynamic_shared_of(const std::string& preprocessed);

}  // namespace stub
