// A bad address in a kernel ends the launch, not the process.
#pragma once
#include <csignal>

namespace emulation {

// Catches memory faults of emulated threads for as long as it lives; others go where they went before.
class FaultGuard {
 public:
  FaultGuard();
  ~FaultGuard();

 private:
  struct sigaction previous_segv, previous_bus;
};

}  // namespace emulation
