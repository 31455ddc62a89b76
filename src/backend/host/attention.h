// What the forward and the backward pass of the host's attention share.
//
// Layouts: q, o [B, T, H, D]; k, v [B, capacity, G, D]; lse [B, H, T]; keep [B, capacity] or null. The first `keys` of
// `capacity` positions take part. Query head h reads key head h / (H / G). With `causal`, query i sees keys j <= i + S - T. A query that sees no key has o = 0 and lse = -inf.
//
// Tiled with online softmax as in Dao et al. 2022 (FlashAttention), for caches: a QUERY_BLOCK x KEY_BLOCK tile of scores
// is made, used and forgotten in L1/L2, by the tiles of tile.h on K and V packed once per key head.
#pragma once
#include <math.h>

#include "../kernels/device.h"
#include "tile.h"

// Less work than this is done before another thread is awake.
constexpr double PARALLEL_FLOPS = 5e6;
constexpr i64 QUERY_BLOCK = 4 * MR, KEY_BLOCK = 8 * LANES;

struct AttentionShape {
  i64 batch, queries, keys, capacity, heads, groups, dim;
  int causal;
  float scale;
  const int* keep;

  i64 q_token() const { return heads * dim; }
  i64 k_token() const { return groups * dim; }
  i64 q_at(i64 b, i64 t, i64 h) const { return ((b * queries + t) * heads + h) * dim; }
  i64 k_at(i64 b, i64 s, i64 g) const { return ((b * capacity + s) * groups + g) * dim; }
  // How many leading keys the query t sees.
  i64 visible(i64 t) const {
    if (!causal) return keys;
    const i64 last = t + keys - queries + 1;
    return last < 0 ? 0 : last < keys ? last : keys;
  }
};

// scores[rows x width] = scale * q k^T for queries t0.. and keys s0.., hidden ones -inf. `width` is a multiple of LANES.
static inline void masked_scores(const AttentionShape& a, i64 b, i64 t0, i64 rows, i64 s0, int cols, const float* q, Panels k,
                                 float* scores, int width) {
  multiply_panels(rows, width, a.dim, rows_in_place(q, a.q_token(), 1), k, {scores, width});
  const int* keep = a.keep ? a.keep + b * a.capacity + s0 : nullptr;
  for (i64 i = 0; i < rows; i++) {
    float* row = scores + i * width;
    const int seen = (int)least(a.visible(t0 + i) - s0, cols);
#pragma omp simd
    for (int j = 0; j < width; j++) row[j] = j < seen ? row[j] * a.scale : -INFINITY;
    if (keep)
      for (int j = 0; j < seen; j++) row[j] = keep[j] ? row[j] : -INFINITY;
  }
}
