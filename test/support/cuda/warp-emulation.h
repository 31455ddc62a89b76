// Tensor-core instructions and asynchronous copies for the emulator: what src/backend/cuda/mma.h calls in place of PTX.
//
// Stricter than the hardware, so that a kernel which would be wrong or slow on a GPU fails here:
// - ldmatrix fails on a misaligned or outlying address, and on a bank conflict;
// - an asynchronous copy turns its destination into NaN when it is issued and shows its data only when its thread has
//   waited for its group. A missing wait, a missing barrier after it, and an overwrite of what another warp still reads
//   all end in NaN.
#pragma once

namespace emulation {

inline unsigned char* shared_at(unsigned address, unsigned bytes) {
  if (address % bytes != 0) emulation_runtime->fail("misaligned address in dynamic shared memory");
  if ((unsigned long long)address + bytes > emulation_runtime->shared_bytes) emulation_runtime->fail("address beyond dynamic shared memory");
  return emulated_dynamic_shared + address;
}

struct MatrixLoad {
  unsigned address, result[4];
  bool transposed;

  unsigned short element(int column) const {
    unsigned short value;
    __builtin_memcpy(&value, shared_at(address, 16) + 2 * column, 2);
    return value;
  }

  static void resolve(MatrixLoad* const lanes[32], unsigned) {
    for (int lane = 0; lane < 32; lane++)
      if (!lanes[lane]) emulation_runtime->fail("ldmatrix: a lane takes no part");
    for (int m = 0; m < 4; m++) {
      MatrixLoad* const* rows = lanes + m * 8;
      for (int i = 0; i < 8; i++)
        for (int j = 0; j < i; j++)
          if (rows[i]->address != rows[j]->address && rows[i]->address / 16 % 8 == rows[j]->address / 16 % 8)
            emulation_runtime->fail("ldmatrix: bank conflict");
      for (int lane = 0; lane < 32; lane++) {
        const int outer = lane / 4, inner = lane % 4 * 2;
        const unsigned short low = lanes[0]->transposed ? rows[inner]->element(outer) : rows[outer]->element(inner);
        const unsigned short high = lanes[0]->transposed ? rows[inner + 1]->element(outer) : rows[outer]->element(inner + 1);
        lanes[lane]->result[m] = (unsigned)high << 16 | low;
      }
    }
  }
};

struct MatrixProduct {
  unsigned a[4], b[2];
  float c[4];

  static float high(unsigned pair) {
    pair &= 0xffff0000u;
    float value;
    __builtin_memcpy(&value, &pair, 4);
    return value;
  }
  static float low(unsigned pair) { return high(pair << 16); }

  static void resolve(MatrixProduct* const lanes[32], unsigned) {
    float left[16][16], right[16][8];
    for (int lane = 0; lane < 32; lane++) {
      if (!lanes[lane]) emulation_runtime->fail("mma: a lane takes no part");
      const int g = lane / 4, t = lane % 4 * 2;
      for (int i = 0; i < 4; i++) {
        const int row = g + i % 2 * 8, column = t + i / 2 * 8;
        left[row][column] = low(lanes[lane]->a[i]);
        left[row][column + 1] = high(lanes[lane]->a[i]);
      }
      for (int i = 0; i < 2; i++) {
        right[t + i * 8][g] = low(lanes[lane]->b[i]);
        right[t + i * 8 + 1][g] = high(lanes[lane]->b[i]);
      }
    }
    for (int lane = 0; lane < 32; lane++)
      for (int i = 0; i < 4; i++) {
        const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
        double sum = lanes[lane]->c[i];
        for (int k = 0; k < 16; k++) sum += (double)left[row][k] * right[k][column];
        lanes[lane]->c[i] = (float)sum;
      }
  }
};

// Copies under way, by thread of the running block.
struct PendingCopies {
  static constexpr int MOST = 512;
  struct Copy {
    unsigned to, bytes;
    int group;
    unsigned char data[16];
  };
  Index block;
  int group, count;
  Copy copies[MOST];

  static PendingCopies& mine() {
    static PendingCopies all[1024];
    const Index &t = emulation_runtime->thread, &size = emulation_runtime->block_size, &b = emulation_runtime->block;
    PendingCopies& p = all[t.x + size.x * (t.y + size.y * t.z)];
    if (p.block.x != b.x || p.block.y != b.y || p.block.z != b.z) p.block = b, p.group = p.count = 0;
    return p;
  }
};

}  // namespace emulation

inline void emulated_ldmatrix(unsigned (&r)[4], unsigned address, bool transposed) {
  emulation::MatrixLoad mine = {address, {}, transposed};
  emulation::warp_collective({"ldmatrix", __FILE__, __LINE__}, 0xffffffffu, mine, emulation::MatrixLoad::resolve);
  for (int i = 0; i < 4; i++) r[i] = mine.result[i];
}

inline void emulated_mma_bf16(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  emulation::MatrixProduct mine = {{a[0], a[1], a[2], a[3]}, {b0, b1}, {c[0], c[1], c[2], c[3]}};
  emulation::warp_collective({"mma", __FILE__, __LINE__}, 0xffffffffu, mine, emulation::MatrixProduct::resolve);
  for (int i = 0; i < 4; i++) c[i] = mine.c[i];
}

inline void emulated_copy_async(unsigned to, const void* from, unsigned bytes, bool valid) {
  emulation::PendingCopies& p = emulation::PendingCopies::mine();
  if (p.count == emulation::PendingCopies::MOST) emulation_runtime->fail("cp.async: more copies under way than the emulator keeps");
  if (valid && (unsigned long long)from % bytes != 0) emulation_runtime->fail("cp.async: misaligned source");
  __builtin_memset(emulation::shared_at(to, bytes), 0xff, bytes);
  auto& copy = p.copies[p.count++];
  copy = {to, bytes, p.group, {}};
  if (valid) __builtin_memcpy(copy.data, from, bytes);
}

inline void emulated_commit_copies() { emulation::PendingCopies::mine().group++; }

inline void emulated_wait_copies(int pending) {
  emulation::PendingCopies& p = emulation::PendingCopies::mine();
  int kept = 0;
  for (int i = 0; i < p.count; i++) {
    const auto copy = p.copies[i];
    if (copy.group < p.group - pending) {
      __builtin_memcpy(emulation::shared_at(copy.to, copy.bytes), copy.data, copy.bytes);
    } else {
      p.copies[kept++] = copy;
    }
  }
  p.count = kept;
}

inline void emulated_read_shared(void* into, unsigned from, unsigned bytes) { __builtin_memcpy(into, emulation::shared_at(from, bytes), bytes); }
inline void emulated_store_shared(unsigned to, const void* value, unsigned bytes) { __builtin_memcpy(emulation::shared_at(to, bytes), value, bytes); }
inline float emulated_load_shared(unsigned from) {
  float value;
  emulated_read_shared(&value, from, 4);
  return value;
}
