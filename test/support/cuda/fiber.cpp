#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

// Switching by hand costs a few nanoseconds; swapcontext would make a system call each time.
#if defined(__x86_64__)
asm(R"(
.text
.globl emulation_switch
.hidden emulation_switch
.type emulation_switch, @function
emulation_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");
#elif defined(__aarch64__)
asm(R"(
.text
.globl emulation_switch
.hidden emulation_switch
.type emulation_switch, %function
emulation_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x2, sp
  str x2, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
)");
#else
#error "the emulator's context switch is written for x86-64 and arm64"
#endif

namespace emulation {

static const std::size_t STACK_BYTES = 128 << 10;
static const std::size_t GUARD_BYTES = 64 << 10;

Stack make_stack(int index) {
  void* mapping = mmap(nullptr, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) {
    std::perror("emulator: mmap of a stack");
    std::abort();
  }
  mprotect(mapping, GUARD_BYTES, PROT_NONE);
  // Different distances from the page boundary: equal ones would put all stacks' hot lines into one set of the cache.
  const std::size_t colour = static_cast<std::size_t>(index % 32) * 320;
  return {static_cast<char*>(mapping) + GUARD_BYTES, STACK_BYTES - colour};
}

Context make_context(Stack stack, void (*entry)()) {
  const auto top = (reinterpret_cast<std::uintptr_t>(stack.memory) + stack.bytes) & ~std::uintptr_t(15);
  void** slots = reinterpret_cast<void**>(top);
#if defined(__x86_64__)
  // The six registers, then the address to return to; at entry the stack lies 8 bytes off a multiple of 16, as after a call.
  slots -= 8;
  slots[6] = reinterpret_cast<void*>(entry);
  slots[7] = nullptr;
#else
  slots -= 20;
  slots[11] = reinterpret_cast<void*>(entry);
#endif
  return slots;
}

}  // namespace emulation
