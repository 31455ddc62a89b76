// From CUDA source to a shared object that the stub driver loads.
#pragma once
#include <map>
#include <string>

#include "options.h"

namespace stub {

struct Program {
  std::string source, name;
  // By the names under which the source includes them.
  std::map<std::string, std::string> headers;
};

// True and the object's bytes, or false and the compiler's messages.
bool compile_program(const Program& program, const Options& options, std::string& object, std::string& log);

}  // namespace stub
