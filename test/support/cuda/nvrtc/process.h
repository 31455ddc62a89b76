// Running the host compiler.
#pragma once
#include <string>
#include <vector>

namespace stub {

struct Finished {
  bool succeeded;
  std::string output, errors;
};

// Runs a program in a folder and waits for its end.
Finished run_process(const std::vector<std::string>& command, const std::string& folder);

std::string read_text(const std::string& path);
bool write_text(const std::string& path, const std::string& text);

}  // namespace stub
