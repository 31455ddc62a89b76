// NVRTC's command line, as far as the backend may use it.
#pragma once
#include <string>
#include <vector>

namespace stub {

struct Options {
  // Compute capability; `machine_code` when it was given as sm_XX.
  int capability = 52;
  bool machine_code = false;
  // What the host compiler is given: -D, -U, -I, -std.
  std::vector<std::string> host_flags;
};

// False with the compiler's complaint when an option is unknown.
bool parse_options(int count, const char* const* words, Options& out, std::string& complaint);

}  // namespace stub
