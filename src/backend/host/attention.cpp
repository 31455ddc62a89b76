#include "attention.h"

#include <omp.h>

static thread_local Scratch scratch;

// The softmax of a block of queries as it grows over blocks of keys: sums of exp(score - top) (times the values).
struct Online {
  float top[QUERY_BLOCK], sum[QUERY_BLOCK];
  float* values;  // [rows, dim]
};

// Turns a tile of scores into exp(score - top) and moves what was summed before to the new top.
static void exponentials(i64 rows, int width, i64 dim, bool first, float* scores, Online& online) {
  for (i64 i = 0; i < rows; i++) {
    float* row = scores + i * width;
    vec tops = vec{} + online.top[i];
    for (int j = 0; j < width; j += LANES) {
      const vec x = load(row + j);
      tops = x > tops ? x : tops;
    }
    const float top = lane_max(tops);
    const float shift = top == -INFINITY ? 0.0f : top;
#pragma omp simd
    for (int j = 0; j < width; j++) row[j] = exp_(row[j] - shift);
    vec sums = {};
    for (int j = 0; j < width; j += LANES) sums += load(row + j);
    if (!first && online.top[i] != top) {
      const float rescale = exp_(online.top[i] - shift);
      float* values = online.values + i * dim;
#pragma omp simd
      for (i64 d = 0; d < dim; d++) values[d] *= rescale;
      online.sum[i] *= rescale;
    }
    online.top[i] = top;
    online.sum[i] += lane_sum(sums);
  }
}

// The row `i` of o, and its lse.
template <class T>
static void finish(const AttentionShape& a, const Online& online, i64 i, T* o, float* lse) {
  const float sum = online.sum[i];
  store_row(o, online.values + i * a.dim, a.dim, sum > 0 ? 1.0f / sum : 0.0f);
  *lse = sum > 0 ? online.top[i] + logf(sum) : -INFINITY;
}

struct Buffers {
  float *k, *v, *scores, *values, *q;
  Buffers(const AttentionShape& a) {
    const i64 keys = round_up(a.keys, NR);
    k = scratch.get((pad(a.dim) + a.dim) * keys + QUERY_BLOCK * (KEY_BLOCK + 2 * a.dim));
    v = k + a.dim * keys;
    scores = v + pad(a.dim) * keys;
    values = scores + QUERY_BLOCK * KEY_BLOCK;
    q = values + QUERY_BLOCK * a.dim;
  }
};

// One block of queries of one head against all keys; K and V are packed by key blocks.
template <class T>
static void attend(const AttentionShape& a, i64 b, i64 h, i64 t0, i64 rows, const T* q, T* o, float* lse, const Buffers& buffers) {
  Online online;
  online.values = buffers.values;
  for (i64 i = 0; i < rows; i++) online.top[i] = -INFINITY, online.sum[i] = 0;
  const Rows queries = readable(rows, a.dim, q + a.q_at(b, t0, h), a.q_token(), buffers.q);
  const i64 seen = a.visible(t0 + rows - 1);
  for (i64 s0 = 0; s0 < seen; s0 += KEY_BLOCK) {
    const int cols = (int)least(seen - s0, KEY_BLOCK), width = (int)pad(cols);
    const i64 block = least(a.keys - s0, KEY_BLOCK);
    masked_scores(a, b, t0, rows, s0, cols, queries, {buffers.k + s0 * a.dim, a.dim, block}, buffers.scores, width);
    exponentials(rows, width, a.dim, s0 == 0, buffers.scores, online);
    multiply_panels(rows, a.dim, cols, rows_in_place(buffers.scores, width, 1), {buffers.v + s0 * pad(a.dim), block, a.dim},
                    {online.values, a.dim, s0 > 0});
  }
  if (seen == 0) memset(online.values, 0, rows * a.dim * sizeof(float));
  for (i64 i = 0; i < rows; i++)
    finish(a, online, i, o + a.q_at(b, t0 + i, h), lse + (b * a.heads + h) * a.queries + t0 + i);
}

// One query of all heads of a group, as in decoding: bound by memory, so K and V are read once, as they lie.
template <class T>
static void attend_once(const AttentionShape& a, i64 b, i64 g, const T* q, const T* k, const T* v, T* o, float* lse, float* scratch) {
  constexpr bool narrow = std::is_same_v<T, bf16>;
  float *scores = scratch, *packed = scores + MR * KEY_BLOCK;
  Online online;
  online.values = packed + KEY_BLOCK * pad(a.dim);
  for (i64 h0 = g * a.per_group(); h0 < (g + 1) * a.per_group(); h0 += MR) {
    const i64 rows = least((g + 1) * a.per_group() - h0, MR);
    for (i64 i = 0; i < rows; i++) online.top[i] = -INFINITY, online.sum[i] = 0;
    for (i64 s0 = 0; s0 < a.keys; s0 += KEY_BLOCK) {
      const int cols = (int)least(a.keys - s0, KEY_BLOCK), width = (int)pad(cols);
      const i64 at = a.k_at(b, s0, g);
      multiply_dots(rows, cols, a.dim, Matrix<T>{q + a.q_at(b, 0, h0), a.dim, 1}, Matrix<T>{k + at, 1, a.k_token()}, {scores, width});
      mask_scores(a, b, 0, 0, rows, s0, cols, scores, width);
      exponentials(rows, width, a.dim, s0 == 0, scores, online);
      Panels values = {packed, cols, a.dim};
      if (!narrow && a.dim % LANES == 0)
        values = {(const float*)(v + at), cols, a.dim, a.k_token()};
      else
        pack_columns(cols, a.dim, Matrix<T>{v + at, a.k_token(), 1}, packed);
      multiply_panels(rows, a.dim, cols, rows_in_place(scores, width, 1), values, {online.values, a.dim, s0 > 0});
    }
    for (i64 i = 0; i < rows; i++) finish(a, online, i, o + a.q_at(b, 0, h0 + i), lse + b * a.heads + h0 + i);
  }
}

template <class T>
static void run(const AttentionShape& a, const T* q, const T* k, const T* v, T* o, float* lse) {
  const i64 blocks = blocks_of(a.queries, QUERY_BLOCK);
  // Few key heads: share a head's query blocks out too, at the price of packing its keys once per part.
  const i64 threads = omp_get_max_threads(), pairs = a.batch * a.groups;
  const i64 parts = pairs >= 4 * threads ? 1 : least(blocks, (4 * threads + pairs - 1) / pairs);
  const i64 part = (blocks + parts - 1) / parts * QUERY_BLOCK;
  // The heads of an item lie interleaved in the same cache lines: one thread takes them all.
  const i64 chunk = a.batch >= 4 * threads ? a.groups * parts : 1;
  const double work = 4.0 * a.batch * a.heads * a.queries * a.keys * a.dim;
#pragma omp parallel for schedule(dynamic, chunk) if (work > PARALLEL_FLOPS && pairs * parts > 1)
  for (i64 task = 0; task < pairs * parts; task++) {
    const i64 b = task / (a.groups * parts), g = task / parts % a.groups, first = task % parts * part;
    const i64 last = least(first + part, a.queries);
    if (first >= last) continue;
    if (a.queries == 1 && a.keys > 0) {
      attend_once(a, b, g, q, k, v, o, lse, scratch.get(MR * (KEY_BLOCK + a.dim) + KEY_BLOCK * pad(a.dim)));
      continue;
    }
    const Buffers buffers(a);
    for (i64 s0 = 0; s0 < a.visible(last - 1); s0 += KEY_BLOCK) {
      const i64 cols = least(a.keys - s0, KEY_BLOCK), at = a.k_at(b, s0, g);
      pack_columns(a.dim, cols, Matrix<T>{k + at, 1, a.k_token()}, buffers.k + s0 * a.dim);
      pack_columns(cols, a.dim, Matrix<T>{v + at, a.k_token(), 1}, buffers.v + s0 * pad(a.dim));
    }
    for (i64 h = g * a.per_group(); h < (g + 1) * a.per_group(); h++)
      for (i64 t0 = first; t0 < last; t0 += QUERY_BLOCK) attend(a, b, h, t0, least(last - t0, QUERY_BLOCK), q, o, lse, buffers);
  }
}

// `narrow`: q, k, v and o are bf16. `key_count`: where the number of keys lies, or null for `most_keys`.
extern "C" void host_attention(int narrow, const void* q, const void* k, const void* v, const int* keep, void* o, float* lse, i64 batch,
                               i64 queries, i64 most_keys, i64 capacity, const int* key_count, i64 heads, i64 groups, i64 dim, int causal,
                               float scale) {
  if (batch * queries == 0) return;
  const AttentionShape a = {batch, queries, key_count ? *key_count : most_keys, capacity, heads, groups, dim, causal, scale, keep};
  if (narrow)
    run(a, (const bf16*)q, (const bf16*)k, (const bf16*)v, (bf16*)o, lse);
  else
    run(a, (const float*)q, (const float*)k, (const float*)v, (float*)o, lse);
}
