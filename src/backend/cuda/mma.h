// What tensor-core kernels need beyond device.h: warp-wide matrix instructions, asynchronous copies and shared memory by
// 32-bit addresses, as PTX (NVRTC may have no CUDA headers). Under __CUDA_EMULATION__ the tests' emulator stands in.
//
// Fragments are those of the PTX ISA for mma.m16n8k16, with g = lane / 4 and t = lane % 4:
//   A 16 x 16: a[0] row g, a[1] row g + 8, both columns 2t, 2t + 1; a[2], a[3] the same, 8 columns on
//   B 16 x 8:  b0 rows 2t, 2t + 1 of column g; b1 8 rows on
//   C 16 x 8:  c[0], c[1] row g, columns 2t, 2t + 1; c[2], c[3] row g + 8
// so two neighbouring C tiles, rounded to bf16, are an A operand without a move between lanes.
#pragma once
#include "../kernels/device.h"

constexpr int WARP = 32;
constexpr u32 ALL_LANES = 0xffffffffu;
constexpr float LOG2_E = 1.44269504f, LN_2 = 0.693147181f;

DEVICE u32 bits_of_float(float x) {
  u32 bits;
#ifdef __CUDA_EMULATION__
  __builtin_memcpy(&bits, &x, sizeof bits);
#else
  asm("mov.b32 %0, %1;" : "=r"(bits) : "f"(x));
#endif
  return bits;
}
DEVICE float infinity() { return float_of_bits(0x7f800000u); }

struct Chunk {
  u32 word[4];
};

#ifdef __CUDA_EMULATION__
#define UNROLL

DEVICE u32 shared_base() { return 0; }
DEVICE void load_matrices(u32 (&r)[4], u32 address) { emulated_ldmatrix(r, address, false); }
DEVICE void load_matrices_transposed(u32 (&r)[4], u32 address) { emulated_ldmatrix(r, address, true); }
DEVICE void multiply_add(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) { emulated_mma_bf16(c, a, b0, b1); }
DEVICE void copy_async_16(u32 to, const void* from, bool valid) { emulated_copy_async(to, from, 16, valid); }
DEVICE void copy_async_4(u32 to, const void* from, bool valid) { emulated_copy_async(to, from, 4, valid); }
DEVICE void commit_copies() { emulated_commit_copies(); }
template <int PENDING>
DEVICE void wait_copies() { emulated_wait_copies(PENDING); }
DEVICE float load_shared(u32 from) { return emulated_load_shared(from); }
DEVICE void store_shared(u32 to, float value) { emulated_store_shared(to, &value, 4); }
DEVICE void store_shared(u32 to, u32 value) { emulated_store_shared(to, &value, 4); }
DEVICE Chunk load_shared_16(u32 from) {
  Chunk c;
  emulated_read_shared(&c, from, 16);
  return c;
}
DEVICE void store_global_16(void* to, Chunk c) { __builtin_memcpy(to, &c, 16); }
DEVICE Chunk load_global_16(const void* from) {
  Chunk c;
  __builtin_memcpy(&c, from, 16);
  return c;
}
DEVICE u32 fresh(u32 x) { return x; }
DEVICE float fresh(float x) { return x; }
DEVICE float exp2_(float x) { return exp2f(x); }
DEVICE u32 pack_bf16(float low, float high) { return (u32)bf16_bits(high) << 16 | bf16_bits(low); }

#else
#define UNROLL _Pragma("unroll")

// A launch's dynamic shared memory, from a line of all banks on, addressed by 32-bit byte offsets from shared_base().
extern __shared__ __align__(128) u32 dynamic_shared_memory[];

DEVICE u32 shared_base() {
  u32 address;
  asm("{ .reg .u64 wide; cvta.to.shared.u64 wide, %1; cvt.u32.u64 %0, wide; }" : "=r"(address) : "l"(dynamic_shared_memory));
  return address;
}

// Four 8 x 8 matrices of 2-byte elements; lane 8 m + r gives the address of row r of matrix m, 16 bytes.
DEVICE void load_matrices(u32 (&r)[4], u32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}
DEVICE void load_matrices_transposed(u32 (&r)[4], u32 address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}
DEVICE void multiply_add(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Bytes that are not valid are written as zeros, and `from` is not read.
DEVICE void copy_async_16(u32 to, const void* from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(valid ? 16 : 0) : "memory");
}
DEVICE void copy_async_4(u32 to, const void* from, bool valid) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(to), "l"(from), "r"(valid ? 4 : 0) : "memory");
}
DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits for this thread's copies, but the last PENDING groups; a barrier shows them to other threads.
template <int PENDING>
DEVICE void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

DEVICE float load_shared(u32 from) {
  float value;
  asm volatile("ld.shared.f32 %0, [%1];" : "=f"(value) : "r"(from) : "memory");
  return value;
}
DEVICE void store_shared(u32 to, float value) { asm volatile("st.shared.f32 [%0], %1;" ::"r"(to), "f"(value) : "memory"); }
DEVICE void store_shared(u32 to, u32 value) { asm volatile("st.shared.u32 [%0], %1;" ::"r"(to), "r"(value) : "memory"); }

DEVICE Chunk load_shared_16(u32 from) {
  Chunk c;
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(c.word[0]), "=r"(c.word[1]), "=r"(c.word[2]), "=r"(c.word[3]) : "r"(from) : "memory");
  return c;
}
DEVICE Chunk load_global_16(const void* from) {
  Chunk c;
  asm volatile("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(c.word[0]), "=r"(c.word[1]), "=r"(c.word[2]), "=r"(c.word[3]) : "l"(from) : "memory");
  return c;
}
DEVICE void store_global_16(void* to, Chunk c) {
  asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(c.word[0]), "r"(c.word[1]), "r"(c.word[2]), "r"(c.word[3]) : "memory");
}

// The same number, from which nothing can be computed ahead of this point: what a loop derives from it lives in no register
// across the loop.
DEVICE u32 fresh(u32 x) {
  asm volatile("" : "+r"(x));
  return x;
}
DEVICE float fresh(float x) {
  asm volatile("" : "+f"(x));
  return x;
}

// 2 ulp; results below 2^-126 are flushed to 0, 2^-inf = 0.
DEVICE float exp2_(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
DEVICE u32 pack_bf16(float low, float high) {
  u32 pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
#endif

// Over the four lanes that hold one row of a C fragment.
DEVICE float quad_sum(float x) {
  x += __shfl_xor_sync(ALL_LANES, x, 1);
  return x + __shfl_xor_sync(ALL_LANES, x, 2);
}
DEVICE float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 1));
  return fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 2));
}
