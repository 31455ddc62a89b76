// Shared memory: thread-local variables of the module, filled with NaN patterns before each block.
#pragma once

// 227 KiB, the most a block may have on any supported chip, and a margin that shows writes past the end.
#define EMULATED_SHARED_BYTES 232448
#define EMULATED_SHARED_MARGIN 1024

// Every `extern __shared__ T name[]` names this memory. It is defined in assembly, because C++ would refuse a second
// declaration of another type.
asm(".pushsection .tbss.emulated_shared,\"awT\",%nobits\n"
    ".balign 1024\n"
    ".globl emulated_dynamic_shared\n"
    ".hidden emulated_dynamic_shared\n"
    ".type emulated_dynamic_shared, %tls_object\n"
    "emulated_dynamic_shared:\n"
    ".zero 233472\n"
    ".popsection\n");
extern thread_local unsigned char emulated_dynamic_shared[] __attribute__((visibility("hidden")));
static_assert(EMULATED_SHARED_BYTES + EMULATED_SHARED_MARGIN == 233472, "as the assembly reserves");

// One line for each name under which a source declares dynamic shared memory.
#define EMULATION_DYNAMIC_SHARED(name) \
  asm(".globl " #name "\n.hidden " #name "\n.type " #name ", %tls_object\n.set " #name ", emulated_dynamic_shared\n");

// The calling OS thread's copy, created by the first call.
extern "C" __attribute__((visibility("default"), weak)) void* emulation_dynamic_shared_address() { return emulated_dynamic_shared; }
