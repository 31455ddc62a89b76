// One device, with the figures of a real chip of the wanted compute capability (MIMIC_STUB_SM).
#include <cstdio>
#include <cstring>
#include <map>

#include "api.h"
#include "device.h"

namespace stub {
namespace {

const Chip CHIPS[] = {
  {80, "Stub A100", 108, 166912, 167936, 2048, 40 << 20, 5120, 1512000, 1410000, 32},
  {86, "Stub RTX A6000", 84, 101376, 102400, 1536, 6 << 20, 384, 8001000, 1800000, 16},
  {89, "Stub L40S", 142, 101376, 102400, 1536, 96 << 20, 384, 9001000, 2520000, 24},
  {90, "Stub H100", 132, 232448, 233472, 2048, 50 << 20, 5120, 2619000, 1980000, 32},
};
bool started = false;

}  // namespace

const Chip& chip() {
  const int wanted = std::stoi(option("MIMIC_STUB_SM", "86"));
  for (const Chip& one : CHIPS)
    if (one.capability == wanted) return one;
  return CHIPS[1];
}

bool initialised() { return started; }

}  // namespace stub

using namespace stub;

API Result cuInit(unsigned flags) {
  const std::lock_guard<std::recursive_mutex> lock(driver_mutex());
  if (flags != 0) return fail(INVALID_VALUE, "cuInit takes no flags");
  if (option("MIMIC_STUB_DEVICES", "1") == "0") return fail(NO_DEVICE, "MIMIC_STUB_DEVICES is 0");
  started = true;
  return SUCCESS;
}

// The one call that works before cuInit.
API Result cuDriverGetVersion(int* out) {
  *out = std::stoi(option("MIMIC_STUB_DRIVER_VERSION", "12040"));
  return SUCCESS;
}

API Result cuDeviceGetCount(int* out) {
  return call([&] { return *out = 1, SUCCESS; });
}
API Result cuDeviceGet(int* out, int ordinal) {
  return call([&] { return ordinal == 0 ? (*out = 0, SUCCESS) : fail(INVALID_DEVICE, "there is one device, 0"); });
}
API Result cuDeviceGetName(char* out, int capacity, int device) {
  return call([&] { return std::snprintf(out, capacity, "%s", chip().name), device == 0 ? SUCCESS : INVALID_DEVICE; });
}
API Result cuDeviceTotalMem_v2(std::size_t* out, int device) {
  return call([&] { return *out = memory_limit(), device == 0 ? SUCCESS : INVALID_DEVICE; });
}
API Result cuDeviceGetUuid_v2(char out[16], int device) {
  return call([&] { return std::memcpy(out, "mimic-stub-gpu-0", 16), device == 0 ? SUCCESS : INVALID_DEVICE; });
}
API Result cuDeviceGetPCIBusId(char* out, int capacity, int device) {
  return call([&] { return std::snprintf(out, capacity, "0000:01:00.0"), device == 0 ? SUCCESS : INVALID_DEVICE; });
}

API Result cuDeviceGetAttribute(int* out, int attribute, int device) {
  return call([&] {
    const Chip& c = chip();
    const std::map<int, int> values = {
      {1, 1024},                    // threads per block
      {2, 1024}, {3, 1024}, {4, 64},  // block dimensions
      {5, 2147483647}, {6, 65535}, {7, 65535},  // grid dimensions
      {8, 49152},                   // shared memory per block without opting in
      {9, 65536},                   // constant memory
      {10, 32},                     // warp size
      {12, 65536},                  // registers per block
      {13, c.clock_khz},
      {16, c.multiprocessors},
      {18, 0},                      // integrated
      {19, 1},                      // host memory can be mapped
      {31, 1},                      // concurrent kernels
      {33, 1}, {34, 0}, {50, 0},    // PCI bus, device, domain
      {36, c.memory_clock_khz},
      {37, c.bus_bits},
      {38, c.l2_bytes},
      {39, c.threads_per_multiprocessor},
      {40, 2},                      // copy engines
      {41, 1},                      // unified addressing
      {75, c.capability / 10},
      {76, c.capability % 10},
      {81, c.shared_per_multiprocessor},
      {82, 65536},                  // registers per multiprocessor
      {83, 1},                      // managed memory
      {97, c.shared_per_block},
      {106, c.blocks_per_multiprocessor},
      {111, 1024},                  // shared memory that the driver keeps per block
      {115, 0},                     // memory pools: the stub has none
    };
    const auto found = values.find(attribute);
    if (device != 0) return fail(INVALID_DEVICE, "there is one device, 0");
    if (found == values.end()) return fail(INVALID_VALUE, "the stub knows no device attribute " + std::to_string(attribute));
    *out = found->second;
    return SUCCESS;
  });
}
