// Memory and threads of the host device. The rest of the library is kernels.
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

// 64-byte aligned; 0 when there is no memory. Large blocks ask for huge pages, which saves page faults and TLB misses.
extern "C" void* host_alloc(unsigned long long bytes) {
  const unsigned long long huge = 2 << 20, alignment = bytes >= huge ? huge : 64;
  void* memory = aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
#ifdef __linux__
  if (memory && bytes >= huge) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return memory;
}

extern "C" void host_free(void* memory) { free(memory); }
extern "C" void host_copy(void* to, const void* from, unsigned long long bytes) { memcpy(to, from, bytes); }
extern "C" void host_set_threads(int threads) { omp_set_num_threads(threads); }
extern "C" int host_threads() { return omp_get_max_threads(); }
