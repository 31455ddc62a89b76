// Attention's work by rows: statistics for the backward pass, the combination of partial results, and the softmax of the
// simple path (scores by matrix products, a block of queries at a time), which serves fp32 storage and odd head dims.
#include "mma.h"

DEVICE float lane_sum(float x) {
  UNROLL
  for (int flips = WARP / 2; flips > 0; flips /= 2) x += __shfl_xor_sync(ALL_LANES, x, flips);
  return x;
}
DEVICE float lane_max(float x) {
  UNROLL
  for (int flips = WARP / 2; flips > 0; flips /= 2) x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, flips));
  return x;
}

// delta[b, h, t] = sum over d of dy o, and lse2 = lse in base 2, +inf for a query that sees nothing: then exp2(x - lse2) = 0.
// A row is (b, t, h); a warp takes one.
STORED_KERNEL(attention_delta)(const stored* o, const stored* dy, const float* lse, float* delta, float* lse2, i64 rows,
                               int queries, int heads, int head_dim) {
  const int lane = threadIdx.x % WARP, warps = blockDim.x / WARP;
  for (i64 r = blockIdx.x * (i64)warps + threadIdx.x / WARP; r < rows; r += (i64)gridDim.x * warps) {
    const stored *po = o + r * head_dim, *pdy = dy + r * head_dim;
    float sum = 0.0f;
    for (int d = lane; d < head_dim; d += WARP) sum += (float)pdy[d] * (float)po[d];
    sum = lane_sum(sum);
    if (lane == 0) {
      const i64 token = r / heads, at = (token / queries * heads + r % heads) * queries + token % queries;
      delta[at] = sum;
      lse2[at] = lse[at] == -infinity() ? infinity() : lse[at] * LOG2_E;
    }
  }
}

// o and lse of the whole from those of `splits` ranges of keys: partial_o [splits, B, T, H, head_dim], each normalised by
// itself, and partial_lse2 [splits, B, T, H] in base 2. A row is (b, t, h); a warp takes one.
STORED_KERNEL(attention_combine)(const float* partial_o, const float* partial_lse2, stored* o, float* lse, i64 rows,
                                 int queries, int heads, int head_dim, int splits) {
  const int lane = threadIdx.x % WARP, warps = blockDim.x / WARP;
  for (i64 r = blockIdx.x * (i64)warps + threadIdx.x / WARP; r < rows; r += (i64)gridDim.x * warps) {
    float top = -infinity(), sum = 0.0f;
    for (int i = lane; i < splits; i += WARP) top = fmaxf(top, partial_lse2[i * rows + r]);
    top = lane_max(top);
    const float shift = top == -infinity() ? 0.0f : top;
    for (int i = lane; i < splits; i += WARP) sum += exp2_(partial_lse2[i * rows + r] - shift);
    sum = lane_sum(sum);
    const float inverse = sum > 0.0f ? 1.0f / sum : 0.0f;
    for (int d = lane; d < head_dim; d += WARP) {
      float x = 0.0f;
      for (int i = 0; i < splits; i++) x += exp2_(partial_lse2[i * rows + r] - shift) * partial_o[(i * rows + r) * head_dim + d];
      o[r * head_dim + d] = x * inverse;
    }
    if (lane == 0) {
      const i64 token = r / heads;
      lse[(token / queries * heads + r % heads) * queries + token % queries] = sum > 0.0f ? top * LN_2 + logf(sum) : -infinity();
    }
  }
}

// How the simple path's rows lie: row (b, h, i) of `rows` is query t0 + i of `chunk`; scores, p, dp and ds are [rows, keys].
struct ScoreRow {
  i64 statistic;
  int seen;
  const int* keep;
};
DEVICE ScoreRow score_row(i64 r, const int* key_mask, const int* key_count, int heads, int chunk, int t0, int queries,
                          int keys, int capacity, int causal) {
  const i64 pair = r / chunk, b = pair / heads;
  const int t = t0 + (int)(r % chunk), count = key_count ? *key_count : keys;
  const int limit = causal ? t + count - queries + 1 : count;
  return {pair * queries + t, limit < count ? limit : count, key_mask ? key_mask + b * capacity : nullptr};
}

// p = softmax(scale * scores) over the keys that each row sees, zeros elsewhere; p may be scores itself when stored as fp32.
STORED_KERNEL(attention_softmax)(const float* scores, stored* p, float* lse, const int* key_mask, const int* key_count,
                                 i64 rows, int heads, int chunk, int t0, int queries, int keys, int capacity, int causal,
                                 float scale) {
  FOR_ROW(r, rows, keys) {
    const ScoreRow row = score_row(r, key_mask, key_count, heads, chunk, t0, queries, keys, capacity, causal);
    const float* s = scores + r * keys;
    float top = -infinity(), sum = 0.0f;
    FOR_LANE_MAX(top, j, row.seen) {
      if (!row.keep || row.keep[j]) top = fmaxf(top, scale * s[j]);
    }
    top = block_max(top);
    FOR_LANE_SUM(sum, j, row.seen) {
      if (!row.keep || row.keep[j]) sum += exp_(scale * s[j] - top);
    }
    sum = block_sum(sum);
    const float inverse = sum > 0.0f ? 1.0f / sum : 0.0f;
    FOR_LANE(j, keys) p[r * keys + j] = j < row.seen && (!row.keep || row.keep[j]) ? exp_(scale * s[j] - top) * inverse : 0.0f;
    if (FIRST_LANE) lse[row.statistic] = sum > 0.0f ? top + logf(sum) : -infinity();
  }
}

// p again from scores and lse, and ds = p (dp - delta) scale; ds and p may be dp and scores when stored as fp32.
STORED_KERNEL(attention_softmax_grad)(const float* scores, const float* dp, stored* p, stored* ds, const float* lse,
                                      const float* delta, const int* key_mask, const int* key_count, i64 rows, int heads,
                                      int chunk, int t0, int queries, int keys, int capacity, int causal, float scale) {
  FOR_ROW(r, rows, keys) {
    const ScoreRow row = score_row(r, key_mask, key_count, heads, chunk, t0, queries, keys, capacity, causal);
    const float shift = lse[row.statistic], row_delta = delta[row.statistic];
    FOR_LANE(j, keys) {
      const i64 at = r * keys + j;
      const bool seen = j < row.seen && (!row.keep || row.keep[j]) && shift != -infinity();
      const float x = seen ? exp_(scale * scores[at] - shift) : 0.0f, gradient = seen ? x * (dp[at] - row_delta) * scale : 0.0f;
      p[at] = x;
      ds[at] = gradient;
    }
  }
}
