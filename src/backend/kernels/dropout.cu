// Inverted dropout with a mask that is a function of (seed, element).
#include "device.h"

struct Words {
  u32 w0, w1, w2, w3;
};

// One Philox-4x32-10 block (Salmon et al. 2011) under the key (seed, "drop").
// In 64-bit lanes whose upper halves may hold anything: only the lower ones are multiplied or kept, and a vectorised loop
// then neither widens nor narrows between rounds.
DEVICE Words philox(i64 block, u32 seed) {
  const u64 low = 0xffffffffull;
  u64 c0 = (u64)block, c1 = (u64)block >> 32, c2 = 0, c3 = 0;
  u32 k0 = seed, k1 = 0x64726f70u;
  for (int round = 0; round < 10; round++) {
    const u64 p0 = 0xd2511f53ull * (c0 & low), p1 = 0xcd9e8d57ull * (c2 & low);
    c0 = (p1 >> 32) ^ c1 ^ k0;
    c2 = (p0 >> 32) ^ c3 ^ k1;
    c1 = p1;
    c3 = p0;
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return {(u32)c0, (u32)c1, (u32)c2, (u32)c3};
}

DEVICE float kept(u32 word, u32 threshold, float x, float scale) { return word < threshold ? 0.0f : x * scale; }

// Element i is dropped iff word i % 4 of block i / 4 is below `threshold` = rate * 2^32; the rest grow by `scale`.
// n counts whole blocks; `rest` < 4 elements follow them.
STORED_KERNEL(dropout)(const stored* x, stored* y, i64 n, i64 rest, u32 seed, u32 threshold, float scale) {
  FOR_EACH(b, n) {
    const Words random = philox(b, seed);
    y[4 * b] = kept(random.w0, threshold, x[4 * b], scale);
    y[4 * b + 1] = kept(random.w1, threshold, x[4 * b + 1], scale);
    y[4 * b + 2] = kept(random.w2, threshold, x[4 * b + 2], scale);
    y[4 * b + 3] = kept(random.w3, threshold, x[4 * b + 3], scale);
  }
  FOR_EACH(i, rest) {
    const Words random = philox(n, seed);
    const u32 word = i == 0 ? random.w0 : i == 1 ? random.w1 : random.w2;
    y[4 * n + i] = kept(word, threshold, x[4 * n + i], scale);
  }
}
