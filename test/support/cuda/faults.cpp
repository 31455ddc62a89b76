#include "faults.h"

#include <cstdio>
#include <cstdlib>

#include "scheduler.h"

namespace emulation {

static void on_fault(int number, siginfo_t* info, void*) {
  if (!in_emulated_thread()) {
    // Not ours: the default action when the instruction is tried again.
    std::signal(number, SIG_DFL);
    return;
  }
  char message[128];
  // An aligned vector move on a misaligned address reports address 0 on x86.
  std::snprintf(message, sizeof message, "illegal address %p%s", info->si_addr,
                info->si_addr ? "" : " (null, or a vector access that is not aligned)");
  fail_thread(message);
}

FaultGuard::FaultGuard() {
  // A stack of its own: the fault may be an overflow of the fiber's.
  static thread_local void* own_stack = nullptr;
  if (!own_stack) {
    const std::size_t bytes = 64 << 10;
    stack_t present;
    sigaltstack(nullptr, &present);
    own_stack = present.ss_flags & SS_DISABLE ? std::malloc(bytes) : present.ss_sp;
    if (present.ss_flags & SS_DISABLE) {
      stack_t stack = {};
      stack.ss_sp = own_stack;
      stack.ss_size = bytes;
      sigaltstack(&stack, nullptr);
    }
  }
  struct sigaction action = {};
  action.sa_sigaction = on_fault;
  // The handler never returns to the faulting code, so the signal must not stay blocked.
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &previous_segv);
  sigaction(SIGBUS, &action, &previous_bus);
}

FaultGuard::~FaultGuard() {
  sigaction(SIGSEGV, &previous_segv, nullptr);
  sigaction(SIGBUS, &previous_bus, nullptr);
}

}  // namespace emulation
