// What the forward and the backward pass of the host's attention share.
//
// Layouts: q, o [B, T, H, D]; k, v [B, capacity, G, D]; lse [B, H, T]; keep [B, capacity] or null. The first S of
// `capacity` positions take part. Query head h reads key head h / (H / G). With `causal`, query i sees keys
// j <= i + S - T. A query that sees no key has o = 0 and lse = -inf.
//
// Tiled with online softmax as in Dao et al. 2022 (FlashAttention), for caches: a QUERY_BLOCK x KEY_BLOCK tile of scores
// is made, used and forgotten in L1/L2, by the tiles of tile.h on K and V packed once per key head. bf16 is widened
// while it is packed and rounded once, when a result is stored.
#pragma once
#include <math.h>

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
  i64 per_group() const { return heads / groups; }
  // How many leading keys the query t sees.
  i64 visible(i64 t) const {
    if (!causal) return keys;
    const i64 last = t + keys - queries + 1;
    return last < 0 ? 0 : last < keys ? last : keys;
  }
};

static inline i64 blocks_of(i64 count, i64 block) { return (count + block - 1) / block; }

// Rows of `dim` numbers as a tile reads them; `wide` has room for bf16's.
static inline Rows readable(i64, i64, const float* rows, i64 token, float*) { return rows_in_place(rows, token, 1); }
static inline Rows readable(i64 count, i64 dim, const bf16* rows, i64 token, float* wide) {
  for (i64 i = 0; i < count; i++)
#pragma omp simd
    for (i64 d = 0; d < dim; d++) wide[i * dim + d] = rows[i * token + d];
  return rows_in_place(wide, dim, 1);
}

// y[i, :] = scale * x[i, :], x dense.
template <class T>
static inline void store_row(T* y, const float* x, i64 dim, float scale) {
  i64 d = 0;
  for (; d + LANES <= dim; d += LANES) store(y + d, load(x + d) * scale);
  if (d < dim) store_part(y + d, load_part(x + d, dim - d) * scale, dim - d);
}

// Scales scores[rows x width] of the keys s0.. and hides (-inf) those that row i, which is query t0 + i * step, does not see.
static inline void mask_scores(const AttentionShape& a, i64 b, i64 t0, i64 step, i64 rows, i64 s0, int cols, float* scores, int width) {
  const int* keep = a.keep ? a.keep + b * a.capacity + s0 : nullptr;
  for (i64 i = 0; i < rows; i++) {
    float* row = scores + i * width;
    const int seen = (int)least(a.visible(t0 + i * step) - s0, cols);
#pragma omp simd
    for (int j = 0; j < width; j++) row[j] = j < seen ? row[j] * a.scale : -INFINITY;
    if (keep)
      for (int j = 0; j < seen; j++) row[j] = keep[j] ? row[j] : -INFINITY;
  }
}

// scores[rows x width] = scale * q k^T for queries t0.. and keys s0.., hidden ones -inf. `width` is a multiple of LANES.
static inline void masked_scores(const AttentionShape& a, i64 b, i64 t0, i64 rows, i64 s0, int cols, Rows q, Panels k, float* scores,
                                 int width) {
  multiply_panels(rows, width, a.dim, q, k, {scores, width});
  mask_scores(a, b, t0, 1, rows, s0, cols, scores, width);
}
