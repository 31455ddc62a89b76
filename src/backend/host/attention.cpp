#include "attention.h"

#include <omp.h>

static thread_local Scratch scratch;

// One block of queries of one head against all keys; K and V are packed by key blocks.
static void attend(const AttentionShape& a, i64 b, i64 h, i64 t0, i64 rows, const float* q, const float* packed_k, const float* packed_v,
                   float* o, float* lse, float* scores) {
  const i64 token = a.q_token();
  float top[QUERY_BLOCK], sum[QUERY_BLOCK];
  for (i64 i = 0; i < rows; i++) top[i] = -INFINITY, sum[i] = 0;
  const i64 seen = a.visible(t0 + rows - 1);
  for (i64 s0 = 0; s0 < seen; s0 += KEY_BLOCK) {
    const int cols = (int)least(seen - s0, KEY_BLOCK), width = (int)pad(cols);
    const i64 block = least(a.keys - s0, KEY_BLOCK);
    masked_scores(a, b, t0, rows, s0, cols, q, {packed_k + s0 * a.dim, a.dim, block}, scores, width);
    for (i64 i = 0; i < rows; i++) {
      float* row = scores + i * width;
      vec tops = vec{} + top[i];
      for (int j = 0; j < width; j += LANES) {
        const vec x = load(row + j);
        tops = x > tops ? x : tops;
      }
      const float block_top = lane_max(tops);
      const float shift = block_top == -INFINITY ? 0.0f : block_top;
#pragma omp simd
      for (int j = 0; j < width; j++) row[j] = exp_(row[j] - shift);
      vec sums = {};
      for (int j = 0; j < width; j += LANES) sums += load(row + j);
      if (s0 > 0 && top[i] != block_top) {
        const float rescale = exp_(top[i] - shift);
        float* oi = o + i * token;
#pragma omp simd
        for (i64 d = 0; d < a.dim; d++) oi[d] *= rescale;
        sum[i] *= rescale;
      }
      top[i] = block_top;
      sum[i] += lane_sum(sums);
    }
    const Panels values = {packed_v + s0 * pad(a.dim), block, a.dim};
    multiply_panels(rows, a.dim, cols, rows_in_place(scores, width, 1), values, {o, token, s0 > 0});
  }
  for (i64 i = 0; i < rows; i++) {
    float* oi = o + i * token;
    const float scale = sum[i] > 0 ? 1.0f / sum[i] : 0.0f;
#pragma omp simd
    for (i64 d = 0; d < a.dim; d++) oi[d] = seen > 0 ? oi[d] * scale : 0.0f;
    lse[(b * a.heads + h) * a.queries + t0 + i] = sum[i] > 0 ? top[i] + logf(sum[i]) : -INFINITY;
  }
}

extern "C" void host_attention(const float* q, const float* k, const float* v, const int* keep, float* o, float* lse, i64 batch,
                               i64 queries, i64 most_keys, i64 capacity, const int* key_count, i64 heads, i64 groups, i64 dim, int causal,
                               float scale) {
  if (batch * queries == 0) return;
  const i64 keys = key_count ? *key_count : most_keys;
  const AttentionShape a = {batch, queries, keys, capacity, heads, groups, dim, causal, scale, keep};
  const i64 per_group = heads / groups, blocks = (queries + QUERY_BLOCK - 1) / QUERY_BLOCK;
  // Few key heads: share a head's query blocks out too, at the price of packing its keys once per part.
  const i64 threads = omp_get_max_threads(), pairs = batch * groups;
  const i64 parts = pairs >= 4 * threads ? 1 : least(blocks, (4 * threads + pairs - 1) / pairs);
  const i64 part = (blocks + parts - 1) / parts * QUERY_BLOCK;
  // The heads of an item lie interleaved in the same cache lines: one thread takes them all.
  const i64 chunk = batch >= 4 * threads ? groups * parts : 1;
  const double work = 4.0 * batch * heads * queries * keys * dim;
#pragma omp parallel for schedule(dynamic, chunk) if (work > PARALLEL_FLOPS && pairs * parts > 1)
  for (i64 task = 0; task < pairs * parts; task++) {
    const i64 b = task / (groups * parts), g = task / parts % groups, first = task % parts * part;
    const i64 last = least(first + part, queries);
    if (first >= last) continue;
    float* packed_k = scratch.get((pad(dim) + dim) * (keys + NR) + QUERY_BLOCK * KEY_BLOCK);
    float* packed_v = packed_k + dim * (keys + NR);
    float* scores = packed_v + pad(dim) * (keys + NR);
    for (i64 s0 = 0; s0 < a.visible(last - 1); s0 += KEY_BLOCK) {
      const i64 cols = least(keys - s0, KEY_BLOCK);
      pack_columns(dim, cols, Matrix<float>{k + a.k_at(b, s0, g), 1, a.k_token()}, packed_k + s0 * dim);
      pack_columns(cols, dim, Matrix<float>{v + a.k_at(b, s0, g), a.k_token(), 1}, packed_v + s0 * pad(dim));
    }
    for (i64 h = g * per_group; h < (g + 1) * per_group; h++)
      for (i64 t0 = first; t0 < last; t0 += QUERY_BLOCK)
        attend(a, b, h, t0, least(last - t0, QUERY_BLOCK), q + a.q_at(b, t0, h), packed_k, packed_v, o + a.q_at(b, t0, h), lse, scores);
  }
}
