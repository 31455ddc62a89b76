// Functions that libcuda.so.1's stub exports for the other stub libraries.
#pragma once
#include <cstddef>

extern "C" {
// Queues run(data) on a stream, or records it when the stream is capturing; `release` is called when it cannot run any
// more. CUresult.
int stub_enqueue(void* stream, int (*run)(void*), void (*release)(void*), void* data);
// CUDA_SUCCESS when [address, address + bytes) lies in one live allocation.
int stub_check_range(const char* what, unsigned long long address, std::size_t bytes);
// Sets what stub_last_failure answers.
void stub_note_failure(const char* why);
int stub_has_context();
}
