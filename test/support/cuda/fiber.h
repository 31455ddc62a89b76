// Stackful coroutines: what an emulated thread becomes when it has to wait.
#pragma once
#include <cstddef>

namespace emulation {

// A suspended context is its stack pointer; the callee-saved registers lie on the stack.
using Context = void*;

// Saves the running context in `*from` and continues `to`.
extern "C" void emulation_switch(Context* from, Context to);

struct Stack {
  char* memory;
  std::size_t bytes;
};

// Memory with an unmapped page below, so that an overflow faults. Stacks are kept for the life of the process.
Stack make_stack(int index);

// A context that calls `entry` when it is continued first; `entry` must not return.
Context make_context(Stack stack, void (*entry)());

}  // namespace emulation
