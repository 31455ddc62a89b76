// Kernel launches: checked as they are queued, run when their stream's turn comes.
#include <algorithm>
#include <cstring>

#include "../scheduler.h"
#include "device.h"
#include "memory.h"
#include "module.h"
#include "stream.h"

namespace stub {
namespace {

struct Shape {
  emulation::Index grid, block;
  unsigned shared_bytes;
};

struct Logged {
  std::string name;
  Shape shape;
};
const std::size_t LONGEST_LOG = 1 << 16;
std::deque<Logged> launches;

std::string text_of(const Shape& s) {
  char text[128];
  std::snprintf(text, sizeof text, "%u %u %u %u %u %u %u", s.grid.x, s.grid.y, s.grid.z, s.block.x, s.block.y, s.block.z, s.shared_bytes);
  return text;
}

Result check_shape(const Function& function, const Shape& s) {
  const auto refuse = [&](Result code, const std::string& why) {
    return fail(code, function.name + " (grid, block, shared = " + text_of(s) + "): " + why);
  };
  if (!s.grid.x || !s.grid.y || !s.grid.z || !s.block.x || !s.block.y || !s.block.z) return refuse(INVALID_VALUE, "a size of 0");
  if (s.grid.x > 2147483647u || s.grid.y > 65535 || s.grid.z > 65535) return refuse(INVALID_VALUE, "the grid is too large");
  if (s.block.x > 1024 || s.block.y > 1024 || s.block.z > 64 || s.block.x * s.block.y * s.block.z > 1024)
    return refuse(INVALID_VALUE, "the block is too large");
  const unsigned bound = static_cast<unsigned>(function.kernel->max_threads);
  if (bound && s.block.x * s.block.y * s.block.z > bound)
    return refuse(INVALID_VALUE, "more threads than its __launch_bounds__(" + std::to_string(bound) + ")");
  if (s.shared_bytes > static_cast<unsigned>(std::max(0, function.dynamic_shared_limit)))
    return refuse(INVALID_VALUE, "more dynamic shared memory than allowed (cuFuncSetAttribute)");
  if (static_cast<int>(s.shared_bytes) + function.module->static_shared_bytes() > chip().shared_per_block)
    return refuse(LAUNCH_OUT_OF_RESOURCES, "more shared memory than the chip has");
  return SUCCESS;
}

// Copies of the parameters: the caller may reuse its own at once.
class Packed {
 public:
  Packed(const emulation::Kernel& kernel, void** parameters) : kernel_(&kernel) {
    for (int i = 0; i < kernel.parameter_count; i++) {
      while (bytes_.size() % 16) bytes_.push_back(0);
      offsets_.push_back(bytes_.size());
      const auto* value = static_cast<const unsigned char*>(parameters[i]);
      bytes_.insert(bytes_.end(), value, value + kernel.parameter_bytes[i]);
    }
  }

  // Each address among them must lie in a live allocation.
  Result check(const std::string& name) const {
    for (int i = 0; i < kernel_->parameter_count; i++)
      if (const Address address = this->address(i))
        if (const Result code = check_range((name + ", parameter " + std::to_string(i)).c_str(), address, 0)) return code;
    return SUCCESS;
  }

  Result check_margins_after(const std::string& name) const {
    for (int i = 0; i < kernel_->parameter_count; i++)
      if (const Allocation* allocation = find_allocation(address(i), 0))
        if (const Result code = check_margins(*allocation, name.c_str())) return code;
    return SUCCESS;
  }

  std::vector<void*> pointers() {
    std::vector<void*> all;
    for (const std::size_t offset : offsets_) all.push_back(bytes_.data() + offset);
    all.push_back(nullptr);
    return all;
  }

 private:
  const emulation::Kernel* kernel_;
  std::vector<unsigned char> bytes_;
  std::vector<std::size_t> offsets_;

  Address address(int i) const {
    Address value = 0;
    if (kernel_->parameter_is_pointer[i]) std::memcpy(&value, bytes_.data() + offsets_[i], sizeof value);
    return value;
  }
};

Result run(void* handle, const Shape& shape, Packed packed) {
  // A graph may outlive the module or the memory that it was captured with.
  const Function* function = find_function(handle);
  if (!function) return INVALID_HANDLE;
  if (const Result code = packed.check(function->name)) return code;
  const Module& module = *function->module;
  const std::vector<void*> parameters = packed.pointers();
  emulation::Launch launch = {};
  launch.name = function->name.c_str();
  launch.invoke = function->kernel->invoke;
  launch.parameters = const_cast<void**>(parameters.data());
  launch.grid = shape.grid;
  launch.block = shape.block;
  launch.shared_bytes = shape.shared_bytes;
  launch.dynamic_shared = static_cast<unsigned char*>(module.dynamic_shared());
  launch.module_shared = launch.dynamic_shared - module.dynamic_offset;
  launch.module_shared_bytes = module.shared_bytes;
  launch.module_runtime = module.runtime;
  emulation::reverse_order(option("MIMIC_STUB_REVERSE", "0") == "1");
  std::string failure;
  if (!emulation::run_launch(launch, failure))
    return fail(failure.find("illegal address") != std::string::npos ? ILLEGAL_ADDRESS : LAUNCH_FAILED, failure);
  return packed.check_margins_after(function->name);
}

// cuLaunchKernel's other way to pass parameters: one buffer in which each is aligned to its size.
Result unpack(const emulation::Kernel& kernel, void** extra, std::vector<void*>& out) {
  char* buffer = nullptr;
  std::size_t size = 0, at = 0;
  for (; *extra; extra += 2) {
    if (*extra == reinterpret_cast<void*>(1)) buffer = static_cast<char*>(extra[1]);
    else if (*extra == reinterpret_cast<void*>(2)) size = *static_cast<std::size_t*>(extra[1]);
    else return fail(INVALID_VALUE, "unknown entry of extra");
  }
  for (int i = 0; i < kernel.parameter_count; i++) {
    const std::size_t bytes = static_cast<std::size_t>(kernel.parameter_bytes[i]), unit = bytes >= 8 ? 8 : bytes;
    at = (at + unit - 1) / unit * unit;
    out.push_back(buffer + at);
    at += bytes;
  }
  return buffer && at <= size ? SUCCESS : fail(INVALID_VALUE, "the parameter buffer is shorter than the kernel's parameters");
}

}  // namespace
}  // namespace stub

using namespace stub;

API Result cuLaunchKernel(void* handle, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                          unsigned shared_bytes, void* stream_handle, void** parameters, void** extra) {
  return context_call([&]() -> Result {
    const Function* function = find_function(handle);
    Stream* stream = find_stream(stream_handle);
    if (!function || !stream) return INVALID_HANDLE;
    const Shape shape = {{gx, gy, gz}, {bx, by, bz}, shared_bytes};
    if (const Result code = check_shape(*function, shape)) return code;
    std::vector<void*> unpacked;
    if (!parameters && extra)
      if (const Result code = unpack(*function->kernel, extra, unpacked)) return code;
    if (!parameters) parameters = unpacked.data();
    if (!parameters && function->kernel->parameter_count) return fail(INVALID_VALUE, function->name + ": no parameters");
    const Packed packed(*function->kernel, parameters);
    if (const Result code = packed.check(function->name)) return code;
    if (launches.size() == LONGEST_LOG) launches.pop_front();
    launches.push_back({function->name, shape});
    return enqueue(stream, [handle, shape, packed] { return run(handle, shape, packed); });
  });
}

API Result cuOccupancyMaxActiveBlocksPerMultiprocessor(int* out, void* handle, int threads, std::size_t shared_bytes) {
  return context_call([&]() -> Result {
    const Function* function = find_function(handle);
    if (!function) return INVALID_HANDLE;
    const Chip& c = chip();
    const int shared = static_cast<int>(shared_bytes) + function->module->static_shared_bytes() + 1024;
    *out = std::min({c.threads_per_multiprocessor / std::max(1, (threads + 31) / 32 * 32), c.shared_per_multiprocessor / shared,
                     c.blocks_per_multiprocessor});
    return SUCCESS;
  });
}

// One line a launch since the last call: name, grid, block, dynamic shared bytes.
API const char* stub_take_launches() {
  const std::lock_guard<std::recursive_mutex> lock(driver_mutex());
  static std::string text;
  text.clear();
  for (const Logged& one : launches) text += one.name + " " + text_of(one.shape) + "\n";
  launches.clear();
  return text.c_str();
}
