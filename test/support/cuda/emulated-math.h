// Functions and vector types that CUDA code has without an include.
#pragma once

extern "C" {
float expf(float) noexcept;
float exp2f(float) noexcept;
float expm1f(float) noexcept;
float logf(float) noexcept;
float log2f(float) noexcept;
float log1pf(float) noexcept;
float tanhf(float) noexcept;
float erff(float) noexcept;
float sinf(float) noexcept;
float cosf(float) noexcept;
float tanf(float) noexcept;
float asinf(float) noexcept;
float acosf(float) noexcept;
float atanf(float) noexcept;
float atan2f(float, float) noexcept;
float sinhf(float) noexcept;
float coshf(float) noexcept;
float asinhf(float) noexcept;
float acoshf(float) noexcept;
float atanhf(float) noexcept;
float powf(float, float) noexcept;
float fmodf(float, float) noexcept;
float floorf(float) noexcept;
float ceilf(float) noexcept;
float truncf(float) noexcept;
float rintf(float) noexcept;
float roundf(float) noexcept;
float sqrtf(float) noexcept;
float fabsf(float) noexcept;
float fmaf(float, float, float) noexcept;
float fmaxf(float, float) noexcept;
float fminf(float, float) noexcept;
float copysignf(float, float) noexcept;
double fabs(double) noexcept;
double exp(double) noexcept;
double tan(double) noexcept;
double atan2(double, double) noexcept;
double fmod(double, double) noexcept;
double log(double) noexcept;
double pow(double, double) noexcept;
double sqrt(double) noexcept;
double floor(double) noexcept;
void* memcpy(void*, const void*, decltype(sizeof 0)) noexcept;
void* memset(void*, int, decltype(sizeof 0)) noexcept;
}

static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline float __expf(float x) { return expf(x); }
static inline float __logf(float x) { return logf(x); }
static inline float __sinf(float x) { return sinf(x); }
static inline float __cosf(float x) { return cosf(x); }
static inline float __fdividef(float x, float y) { return x / y; }
static inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
static inline float __fadd_rn(float x, float y) { return x + y; }
static inline float __fmul_rn(float x, float y) { return x * y; }
static inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f; }

namespace emulation {
template <class To, class From>
inline To bits_as(From value) {
  static_assert(sizeof(To) == sizeof(From), "sizes differ");
  To result;
  memcpy(&result, &value, sizeof result);
  return result;
}
}  // namespace emulation
static inline float __uint_as_float(unsigned x) { return emulation::bits_as<float>(x); }
static inline unsigned __float_as_uint(float x) { return emulation::bits_as<unsigned>(x); }
static inline float __int_as_float(int x) { return emulation::bits_as<float>(x); }
static inline int __float_as_int(float x) { return emulation::bits_as<int>(x); }

static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned)x); }
static inline unsigned __umulhi(unsigned x, unsigned y) { return (unsigned)((unsigned long long)x * y >> 32); }

template <class T>
static inline T min(T a, T b) {
  return b < a ? b : a;
}
template <class T>
static inline T max(T a, T b) {
  return a < b ? b : a;
}
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }

// Cache hints do nothing here.
template <class T>
static inline T __ldg(const T* p) {
  return *p;
}
template <class T>
static inline T __ldcs(const T* p) {
  return *p;
}
template <class T>
static inline void __stcs(T* p, T value) {
  *p = value;
}

// Aligned as on the device: the host's aligned vector moves fault on a misaligned address, as a GPU's do.
#define EMULATED_VECTOR(T, name, bytes)                       \
  struct alignas(bytes) name##2 { T x, y; };                  \
  struct alignas(2 * bytes) name##4 { T x, y, z, w; };        \
  static inline name##2 make_##name##2(T x, T y) { return {x, y}; } \
  static inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
EMULATED_VECTOR(float, float, 8)
EMULATED_VECTOR(int, int, 8)
EMULATED_VECTOR(unsigned, uint, 8)
EMULATED_VECTOR(unsigned short, ushort, 4)
#undef EMULATED_VECTOR
