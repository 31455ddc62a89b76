// Two passes of the host compiler: the preprocessor's output names the kernels, then a wrapper that includes the source
// and exports them is compiled. Objects are kept beside this library under a hash of all that goes into them; the
// library's own folder is named after the emulator's sources, the compiler and the processor.
#include "compile.h"

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "kernels-of.h"
#include "process.h"

namespace stub {
namespace {

// -O1 compiles twice as fast as -O3, and emulated threads spend their time in switches. No header of the host is found,
// because NVRTC finds none.
const char* const FLAGS[] = {"-x", "c++", "-O1", "-march=native", "-fPIC", "-w", "-nostdinc", "-nostdinc++", "-fno-extern-tls-init",
                             "-fno-gnu-unique", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti", "-fno-math-errno", "-fno-trapping-math"};

std::string own_folder() {
  Dl_info own;
  dladdr(reinterpret_cast<void*>(&own_folder), &own);
  return std::filesystem::path(own.dli_fname).parent_path().string();
}

std::vector<std::string> words_of(const char* text) {
  std::vector<std::string> words;
  std::string word;
  for (; ; text++) {
    if (*text && *text != ' ') {
      word += *text;
      continue;
    }
    if (!word.empty()) words.push_back(word);
    word.clear();
    if (!*text) return words;
  }
}

// FNV-1a from two starting points: 128 bits against accidents, not against enemies.
std::string hash_of(const std::vector<std::string>& parts) {
  unsigned long long a = 14695981039346656037ull, b = 1099511628211ull;
  for (const std::string& part : parts)
    for (std::size_t i = 0; i <= part.size(); i++) {
      const unsigned char c = i < part.size() ? static_cast<unsigned char>(part[i]) : 0;
      a = (a ^ c) * 1099511628211ull;
      b = (b ^ (c + 131u)) * 1099511628211ull;
    }
  char text[40];
  std::snprintf(text, sizeof text, "%016llx%016llx", a, b);
  return text;
}

std::string without(std::string text, const std::string& unwanted) {
  for (std::size_t at; (at = text.find(unwanted)) != std::string::npos;) text.erase(at, unwanted.size());
  return text;
}

bool build(const Program& program, const std::vector<std::string>& command, const std::string& folder, std::string& log) {
  const std::string source = folder + "/" + program.name;
  std::filesystem::create_directories(std::filesystem::path(source).parent_path());
  write_text(source, program.source);
  for (const auto& header : program.headers) {
    const std::string path = folder + "/" + header.first;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    write_text(path, header.second);
  }
  std::vector<std::string> preprocess = command;
  preprocess.insert(preprocess.end(), {"-E", source});
  Finished finished = run_process(preprocess, folder);
  if (finished.succeeded) {
    std::string wrapper = "#include \"" + program.name + "\"\nemulation::Runtime* emulation_runtime;\n";
    for (const KernelDefinition& kernel : kernels_of(finished.output))
      wrapper += "EMULATION_EXPORT(" + kernel.name + ", " + kernel.max_threads + ")\n";
    for (const std::string& name : dynamic_shared_of(finished.output))
      if (name != "emulated_dynamic_shared") wrapper += "EMULATION_DYNAMIC_SHARED(" + name + ")\n";
    write_text(folder + "/mimic-wrapper.cpp", wrapper);
    std::vector<std::string> compile = command;
    compile.insert(compile.end(), {"-shared", "-Wl,-z,defs", "-Wl,-Bsymbolic", "-o", folder + "/module.so", folder + "/mimic-wrapper.cpp"});
    finished = run_process(compile, folder);
  }
  log = without(finished.errors, folder + "/");
  return finished.succeeded;
}

}  // namespace

bool compile_program(const Program& program, const Options& options, std::string& object, std::string& log) {
  const std::string home = own_folder(), modules = home + "/modules";
  std::vector<std::string> command = words_of(STUB_COMPILER);
  command.insert(command.end(), {"-std=c++17"});
  command.insert(command.end(), options.host_flags.begin(), options.host_flags.end());
  command.insert(command.end(), std::begin(FLAGS), std::end(FLAGS));
  command.push_back("-D__CUDA_ARCH__=" + std::to_string(options.capability * 10));
  command.insert(command.end(), {"-include", home + "/include/emulator.h"});

  std::vector<std::string> identity = command;
  identity.insert(identity.end(), {program.name, program.source});
  for (const auto& header : program.headers) identity.insert(identity.end(), {header.first, header.second});
  const std::string kept = modules + "/" + hash_of(identity) + ".so";
  if (std::filesystem::exists(kept)) {
    object = read_text(kept);
    return true;
  }

  std::filesystem::create_directories(modules);
  std::string folder = modules + "/build-XXXXXX";
  if (!mkdtemp(folder.data())) {
    log = "cannot write to " + modules + "\n";
    return false;
  }
  command.push_back("-I" + folder);
  const bool built = build(program, command, folder, log);
  if (built) {
    object = read_text(folder + "/module.so");
    // Another process may do the same at the same time; the results are alike.
    std::rename((folder + "/module.so").c_str(), kept.c_str());
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return built;
}

}  // namespace stub
