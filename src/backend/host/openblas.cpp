#include "openblas.h"

#include <dlfcn.h>
#include <limits.h>

typedef void (*Sgemm)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha, const float* a, int lda, const float* b,
                      int ldb, float beta, float* c, int ldc);
enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };

// Measured on 2 cores of Zen 5: below, or with a short side, its packing costs more than its kernel gains.
constexpr i64 SHORTEST = 128, FEWEST_RESULTS = 1 << 20, MANY_RESULTS = 1 << 24;

static void* library;
static Sgemm sgemm;
static bool used;

template <class F>
static F symbol(const char* name) {
  return (F)dlsym(library, name);
}
static const char* text_of(const char* name) {
  const auto get = symbol<const char* (*)()>(name);
  return get ? get() : "";
}

// Loads an OpenBLAS by path or loader name. Returns "", or why it cannot be used.
extern "C" const char* host_blas_open(const char* name) {
  library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library) return dlerror();
  const auto set_threads = symbol<void (*)(int)>("openblas_set_num_threads");
  const auto parallel = symbol<int (*)()>("openblas_get_parallel");
  sgemm = symbol<Sgemm>("cblas_sgemm");
  if (!sgemm || !set_threads || !parallel) return "it lacks cblas_sgemm or OpenBLAS's own functions";
  if (strstr(text_of("openblas_get_config"), "USE64BITINT")) return "it was built for 64-bit integers";
  if (parallel() == 0) return "it was built without threads, and may not be safe to call from several";
  set_threads(1);
  return "";
}
extern "C" const char* host_blas_config() { return text_of("openblas_get_config"); }
extern "C" const char* host_blas_core() { return text_of("openblas_get_corename"); }
extern "C" const char* host_blas_path() {
  Dl_info info = {};
  return dladdr((void*)sgemm, &info) && info.dli_fname ? info.dli_fname : "";
}
// Whether large products go there from now on.
extern "C" void host_blas_use(int use) { used = use && sgemm; }

bool blas_takes(i64 m, i64 n, i64 k) {
  return used && m >= SHORTEST && n >= SHORTEST && k >= SHORTEST && m * n >= FEWEST_RESULTS && m < INT_MAX && n < INT_MAX && k < INT_MAX;
}

i64 blas_block(i64 m, i64 n) { return m * n >= MANY_RESULTS ? 1024 : 512; }

void blas_multiply(bool trans_a, bool trans_b, i64 m, i64 n, i64 k, const float* a, i64 lda, const float* b, i64 ldb, const Target& out) {
  sgemm(ROW_MAJOR, trans_a ? TRANSPOSED : PLAIN, trans_b ? TRANSPOSED : PLAIN, (int)m, (int)n, (int)k, out.scale, a, (int)lda, b, (int)ldb,
        out.accumulate ? 1.0f : 0.0f, out.c, (int)out.ldc);
  if (!out.bias && !out.gelu) return;
  for (i64 i = 0; i < m; i++) {
    float* c = out.c + i * out.ldc;
    if (out.bias)
#pragma omp simd
      for (i64 j = 0; j < n; j++) c[j] += out.bias[j];
    if (out.gelu)
#pragma omp simd
      for (i64 j = 0; j < n; j++) c[j] = gelu_(c[j]);
  }
}
