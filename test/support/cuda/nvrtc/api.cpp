// NVRTC's interface.
#include <cstring>
#include <memory>
#include <mutex>
#include <set>

#include "../driver/module.h"
#include "compile.h"

namespace {

// nvrtcResult: only the values that the stub returns.
enum Outcome { FINE = 0, INVALID_INPUT = 3, INVALID_PROGRAM = 4, INVALID_OPTION = 5, COMPILATION_FAILED = 6 };

struct Compiled {
  stub::Program program;
  std::string image, log;
  bool machine_code = false;
};

std::mutex mutex;
std::set<Compiled*> programs;

Compiled* find(void* handle) {
  const std::lock_guard<std::mutex> lock(mutex);
  Compiled* program = static_cast<Compiled*>(handle);
  return programs.count(program) ? program : nullptr;
}

// The real compiler ends logs and PTX with a zero byte that it counts.
Outcome size_of(void* handle, const std::string Compiled::*text, bool terminated, std::size_t* out) {
  const Compiled* program = find(handle);
  if (!program) return INVALID_PROGRAM;
  *out = (program->*text).size() + (terminated ? 1 : 0);
  return FINE;
}
Outcome copy_of(void* handle, const std::string Compiled::*text, bool terminated, char* out) {
  const Compiled* program = find(handle);
  if (!program) return INVALID_PROGRAM;
  std::memcpy(out, (program->*text).c_str(), (program->*text).size() + (terminated ? 1 : 0));
  return FINE;
}

}  // namespace

API Outcome nvrtcVersion(int* major, int* minor) { return *major = 12, *minor = 4, FINE; }

API const char* nvrtcGetErrorString(int code) {
  switch (code) {
    case FINE: return "NVRTC_SUCCESS";
    case INVALID_INPUT: return "NVRTC_ERROR_INVALID_INPUT";
    case INVALID_PROGRAM: return "NVRTC_ERROR_INVALID_PROGRAM";
    case INVALID_OPTION: return "NVRTC_ERROR_INVALID_OPTION";
    case COMPILATION_FAILED: return "NVRTC_ERROR_COMPILATION";
    default: return "NVRTC_ERROR unknown";
  }
}

API Outcome nvrtcGetNumSupportedArchs(int* out) { return *out = 4, FINE; }
API Outcome nvrtcGetSupportedArchs(int* out) { return out[0] = 80, out[1] = 86, out[2] = 89, out[3] = 90, FINE; }

API Outcome nvrtcCreateProgram(void** out, const char* source, const char* name, int count, const char* const* headers, const char* const* names) {
  if (!out || !source || count < 0 || (count > 0 && (!headers || !names))) return INVALID_INPUT;
  auto* made = new Compiled();
  made->program = {source, name ? name : "default_program", {}};
  for (int i = 0; i < count; i++) made->program.headers[names[i]] = headers[i];
  const std::lock_guard<std::mutex> lock(mutex);
  programs.insert(made);
  *out = made;
  return FINE;
}

API Outcome nvrtcDestroyProgram(void** handle) {
  Compiled* program = handle ? find(*handle) : nullptr;
  if (!program) return INVALID_PROGRAM;
  const std::lock_guard<std::mutex> lock(mutex);
  programs.erase(program);
  delete program;
  *handle = nullptr;
  return FINE;
}

API Outcome nvrtcCompileProgram(void* handle, int count, const char* const* words) {
  Compiled* program = find(handle);
  if (!program) return INVALID_PROGRAM;
  stub::Options options;
  if (!stub::parse_options(count, words, options, program->log)) return INVALID_OPTION;
  std::string object;
  if (!stub::compile_program(program->program, options, object, program->log)) return COMPILATION_FAILED;
  stub::Image header = {};
  std::memcpy(header.magic, stub::IMAGE_MAGIC, sizeof header.magic);
  header.capability = options.machine_code ? static_cast<unsigned>(options.capability) : 0;
  header.object_bytes = object.size();
  program->image.assign(reinterpret_cast<const char*>(&header), sizeof header);
  program->image += object;
  program->machine_code = options.machine_code;
  return FINE;
}

API Outcome nvrtcGetProgramLogSize(void* handle, std::size_t* out) { return size_of(handle, &Compiled::log, true, out); }
API Outcome nvrtcGetProgramLog(void* handle, char* out) { return copy_of(handle, &Compiled::log, true, out); }
API Outcome nvrtcGetPTXSize(void* handle, std::size_t* out) { return size_of(handle, &Compiled::image, true, out); }
API Outcome nvrtcGetPTX(void* handle, char* out) { return copy_of(handle, &Compiled::image, true, out); }
// Empty unless a real architecture (sm_XX) was asked for.
API Outcome nvrtcGetCUBINSize(void* handle, std::size_t* out) {
  const Compiled* program = find(handle);
  if (!program) return INVALID_PROGRAM;
  *out = program->machine_code ? program->image.size() : 0;
  return FINE;
}
API Outcome nvrtcGetCUBIN(void* handle, char* out) { return copy_of(handle, &Compiled::image, false, out); }
