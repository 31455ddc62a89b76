// Memory and threads of the host device. The rest of the library is kernels.
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22  // since Linux 5.14
#endif
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

// Bytes of a file as memory: private, so that a write stays here. `whole` reads all of them now, and fails where the file
// has become shorter or cannot be read; later the processor itself would stop the program. 0 where it cannot be done.
extern "C" void* host_map(int fd, unsigned long long position, unsigned long long bytes, int whole) {
#ifdef __linux__
  const unsigned long long before = position % (unsigned long long)sysconf(_SC_PAGESIZE), length = before + bytes;
  char* start = (char*)mmap(0, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, (off_t)(position - before));
  if (start == (char*)MAP_FAILED) return 0;
  if (whole) {
    // Sequential: the kernel reads further ahead. It would also drop what was read first under pressure, hence the normal after.
    madvise(start, length, MADV_SEQUENTIAL);
    const int failed = madvise(start, length, MADV_POPULATE_READ);
    madvise(start, length, MADV_NORMAL);
    if (failed) {
      munmap(start, length);
      return 0;
    }
  } else {
    madvise(start, length, MADV_RANDOM);
  }
  return start + before;
#else
  return 0;
#endif
}

extern "C" void host_unmap(void* memory, unsigned long long bytes) {
#ifdef __linux__
  const unsigned long long before = (unsigned long long)memory % (unsigned long long)sysconf(_SC_PAGESIZE);
  munmap((char*)memory - before, before + bytes);
#endif
}

extern "C" void host_copy(void* to, const void* from, unsigned long long bytes) { memcpy(to, from, bytes); }
extern "C" void host_set_threads(int threads) { omp_set_num_threads(threads); }
extern "C" int host_threads() { return omp_get_max_threads(); }
