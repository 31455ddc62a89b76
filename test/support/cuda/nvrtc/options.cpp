#include "options.h"

#include <cstdlib>
#include <cstring>
#include <set>

namespace stub {
namespace {

const std::set<int> CAPABILITIES = {75, 80, 86, 87, 89, 90, 100, 120};

// Options that change speed or messages alone, by their names before `=`.
const std::set<std::string> WITHOUT_EFFECT = {
  "--use_fast_math", "-use_fast_math", "--fmad", "-fmad", "--ftz", "-ftz", "--prec-div", "-prec-div", "--prec-sqrt", "-prec-sqrt",
  "-default-device", "--device-as-default-execution-space", "-lineinfo", "--generate-line-info", "--device-debug", "-G",
  "--extra-device-vectorization", "-extra-device-vectorization", "--maxrregcount", "-maxrregcount", "--restrict", "-restrict",
  "--ptxas-options", "-Xptxas", "--disable-warnings", "-w", "--display-error-number", "--diag-suppress", "-diag-suppress",
  "--split-compile", "-split-compile", "--dopt", "-dopt", "--minimal", "-minimal", "--relocatable-device-code", "-rdc",
};

bool starts_with(const std::string& word, const char* start, std::string& rest) {
  if (word.compare(0, std::strlen(start), start) != 0) return false;
  rest = word.substr(std::strlen(start));
  return true;
}

}  // namespace

bool parse_options(int count, const char* const* words, Options& out, std::string& complaint) {
  for (int i = 0; i < count; i++) {
    const std::string word = words[i];
    std::string value;
    if (starts_with(word, "--gpu-architecture=", value) || starts_with(word, "-arch=", value)) {
      std::string number;
      out.machine_code = starts_with(value, "sm_", number);
      if (!out.machine_code && !starts_with(value, "compute_", number)) number = "";
      // sm_90a and sm_100f name the same chip with more instructions.
      out.capability = std::atoi(number.c_str());
      if (CAPABILITIES.count(out.capability)) continue;
      complaint = "nvrtc: error: invalid value for --gpu-architecture (-arch)\n";
      return false;
    }
    if (starts_with(word, "--std=", value) || starts_with(word, "-std=", value)) {
      out.host_flags.push_back("-std=" + value);
    } else if (starts_with(word, "--define-macro=", value)) {
      out.host_flags.push_back("-D" + value);
    } else if (starts_with(word, "--undefine-macro=", value)) {
      out.host_flags.push_back("-U" + value);
    } else if (starts_with(word, "--include-path=", value)) {
      out.host_flags.push_back("-I" + value);
    } else if (word.size() > 2 && (starts_with(word, "-D", value) || starts_with(word, "-U", value) || starts_with(word, "-I", value))) {
      out.host_flags.push_back(word);
    } else if (!WITHOUT_EFFECT.count(word.substr(0, word.find('=')))) {
      complaint = "nvrtc: error: unrecognized option " + word + " found\n";
      return false;
    }
  }
  return true;
}

}  // namespace stub
