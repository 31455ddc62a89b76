#include "attention.h"

#include <omp.h>

// Partial gradients of q beyond this many floats do not pay for more parts.
constexpr i64 PARTIAL_FLOATS = 1 << 26;

static thread_local Scratch scratch, shared_scratch;

// One thread's room for a block of keys and one of queries.
struct GradBuffers {
  float *k_rows, *k_columns, *v_columns, *q_rows, *dy_rows, *p, *dp, *q, *dy, *dk, *dv, *dq;
  GradBuffers(const AttentionShape& a, i64 dq_floats) {
    const i64 most = KEY_BLOCK > QUERY_BLOCK ? KEY_BLOCK : QUERY_BLOCK, panel = most * (a.dim + NR), tile = QUERY_BLOCK * KEY_BLOCK;
    float* next = scratch.get(9 * panel + 2 * tile + dq_floats);
    for (float** buffer : {&k_rows, &k_columns, &v_columns, &q_rows, &dy_rows, &q, &dy, &dk, &dv}) *buffer = next, next += panel;
    p = next;
    dp = p + tile;
    dq = dp + tile;
  }
};

template <class T>
struct Operands {
  const T *dy, *q, *k, *v, *o;
  const float* lse;
  T *dq, *dk, *dv;
  float* delta;  // [B, H, T]: dy . o
};

// Adds one tile's part to dq, dk and dv. With P = exp(S - lse), dS = P (dP - delta) scale:
//   dv += P^T dy, dk += dS^T q, dq += dS k.
template <class T>
static void tile_grad(const AttentionShape& a, i64 b, i64 h, i64 t0, i64 rows, i64 s0, int cols, i64 block, const Operands<T>& x,
                      float* dq, bool add_dq, const GradBuffers& w) {
  const int width = (int)pad(cols);
  const i64 at = a.q_at(b, t0, h), statistics = (b * a.heads + h) * a.queries + t0;
  masked_scores(a, b, t0, rows, s0, cols, readable(rows, a.dim, x.q + at, a.q_token(), w.q), {w.k_columns, a.dim, block}, w.p, width);
  multiply_panels(rows, width, a.dim, readable(rows, a.dim, x.dy + at, a.q_token(), w.dy), {w.v_columns, a.dim, block}, {w.dp, width});
  for (i64 i = 0; i < rows; i++) {
    float *p = w.p + i * width, *ds = w.dp + i * width;
    const float lse = x.lse[statistics + i], shift = lse == -INFINITY ? INFINITY : lse, delta = x.delta[statistics + i];
#pragma omp simd
    for (int j = 0; j < width; j++) {
      const float pij = exp_(p[j] - shift);
      p[j] = pij;
      ds[j] = pij * (ds[j] - delta) * a.scale;
    }
  }
  pack_columns(rows, a.dim, Matrix<T>{x.dy + at, a.q_token(), 1}, w.dy_rows);
  pack_columns(rows, a.dim, Matrix<T>{x.q + at, a.q_token(), 1}, w.q_rows);
  multiply_panels(cols, a.dim, rows, rows_in_place(w.p, 1, width), {w.dy_rows, rows, a.dim}, {w.dv, a.dim, true});
  multiply_panels(cols, a.dim, rows, rows_in_place(w.dp, 1, width), {w.q_rows, rows, a.dim}, {w.dk, a.dim, true});
  multiply_panels(rows, a.dim, cols, rows_in_place(w.dp, width, 1), {w.k_rows, block, a.dim}, {dq, a.dim, add_dq});
}

// dk and dv of one block of keys of one key head, and the block's part of dq [H / G, T, D], set or added.
template <class T>
static void block_grad(const AttentionShape& a, i64 b, i64 g, i64 s0, const Operands<T>& x, float* dq, bool add_dq, const GradBuffers& w) {
  const i64 at = a.k_at(b, s0, g), block = least(a.keys - s0, KEY_BLOCK);
  pack_columns(a.dim, block, Matrix<T>{x.k + at, 1, a.k_token()}, w.k_columns);
  pack_columns(a.dim, block, Matrix<T>{x.v + at, 1, a.k_token()}, w.v_columns);
  pack_columns(block, a.dim, Matrix<T>{x.k + at, a.k_token(), 1}, w.k_rows);
  memset(w.dk, 0, block * a.dim * sizeof(float));
  memset(w.dv, 0, block * a.dim * sizeof(float));
  for (i64 h = 0; h < a.per_group(); h++)
    for (i64 t0 = 0; t0 < a.queries; t0 += QUERY_BLOCK) {
      const i64 rows = least(a.queries - t0, QUERY_BLOCK);
      const int cols = (int)least(a.visible(t0 + rows - 1) - s0, block);
      if (cols > 0)
        tile_grad(a, b, g * a.per_group() + h, t0, rows, s0, cols, block, x, dq + (h * a.queries + t0) * a.dim, add_dq, w);
    }
  for (i64 s = 0; s < block; s++) {
    store_row(x.dk + at + s * a.k_token(), w.dk + s * a.dim, a.dim, 1.0f);
    store_row(x.dv + at + s * a.k_token(), w.dv + s * a.dim, a.dim, 1.0f);
  }
}

// dq of a key head's query heads from its fp32 sums [H / G, T, D].
template <class T>
static void store_dq(const AttentionShape& a, i64 b, i64 g, i64 h, i64 t, const float* sums, T* dq) {
  store_row(dq + a.q_at(b, t, g * a.per_group() + h), sums + (h * a.queries + t) * a.dim, a.dim, 1.0f);
}

// A task is one key head.
template <class T>
static void grad_by_heads(const AttentionShape& a, const Operands<T>& x) {
  const i64 dq_floats = a.per_group() * a.queries * a.dim;
  // The heads of an item lie interleaved in the same cache lines: one thread takes them all.
  const i64 chunk = a.batch >= 4 * omp_get_num_threads() ? a.groups : 1;
#pragma omp for schedule(dynamic, chunk)
  for (i64 task = 0; task < a.batch * a.groups; task++) {
    const i64 b = task / a.groups, g = task % a.groups;
    const GradBuffers w(a, dq_floats);
    memset(w.dq, 0, dq_floats * sizeof(float));
    for (i64 s0 = 0; s0 < a.keys; s0 += KEY_BLOCK) block_grad(a, b, g, s0, x, w.dq, true, w);
    for (i64 h = 0; h < a.per_group(); h++)
      for (i64 t = 0; t < a.queries; t++) store_dq(a, b, g, h, t, w.dq, x.dq);
  }
}

// Few key heads: a task is one block of keys, `parts` blocks of each head at a time. The first of them adds to the head's
// dq, the others leave theirs in `partial`, which are added in order: the sums are those of grad_by_heads, bit for bit.
template <class T>
static void grad_by_blocks(const AttentionShape& a, const Operands<T>& x, i64 parts, float* sums, float* partial) {
  const i64 pairs = a.batch * a.groups, dq_floats = a.per_group() * a.queries * a.dim;
  const i64 query_blocks = a.per_group() * blocks_of(a.queries, QUERY_BLOCK);
#pragma omp for schedule(static)
  for (i64 pair = 0; pair < pairs; pair++) memset(sums + pair * dq_floats, 0, dq_floats * sizeof(float));
  for (i64 first = 0; first < a.keys; first += parts * KEY_BLOCK) {
#pragma omp for schedule(dynamic)
    for (i64 task = 0; task < pairs * parts; task++) {
      const i64 pair = task / parts, part = task % parts, s0 = first + part * KEY_BLOCK;
      if (s0 >= a.keys) continue;
      float* dq = part == 0 ? sums + pair * dq_floats : partial + (pair * (parts - 1) + part - 1) * dq_floats;
      block_grad(a, pair / a.groups, pair % a.groups, s0, x, dq, part == 0, GradBuffers(a, 0));
    }
#pragma omp for schedule(static)
    for (i64 task = 0; task < pairs * query_blocks; task++) {
      const i64 pair = task / query_blocks, h = task % query_blocks % a.per_group(), t0 = task % query_blocks / a.per_group() * QUERY_BLOCK;
      const i64 last = least(t0 + QUERY_BLOCK, a.queries), seen = a.visible(last - 1), at = (h * a.queries + t0) * a.dim;
      float* sum = sums + pair * dq_floats + at;
      for (i64 part = 1; part < parts && first + part * KEY_BLOCK < seen; part++) {
        const float* more = partial + (pair * (parts - 1) + part - 1) * dq_floats + at;
#pragma omp simd
        for (i64 i = 0; i < (last - t0) * a.dim; i++) sum[i] += more[i];
      }
      if (first + parts * KEY_BLOCK < a.keys) continue;
      for (i64 t = t0; t < last; t++) store_dq(a, pair / a.groups, pair % a.groups, h, t, sums + pair * dq_floats, x.dq);
    }
  }
}

template <class T>
static void run(const AttentionShape& a, Operands<T> x) {
  const i64 threads = omp_get_max_threads(), pairs = a.batch * a.groups, dq_floats = a.per_group() * a.queries * a.dim;
  const double work = 10.0 * a.batch * a.heads * a.queries * a.keys * a.dim;
  const bool parallel = work > PARALLEL_FLOPS;
  i64 parts = 1;
  if (parallel && pairs > 0 && pairs < 4 * threads) {
    const i64 room = PARTIAL_FLOATS / (pairs * dq_floats) + 1;
    parts = least(least(blocks_of(a.keys, KEY_BLOCK), room), (2 * threads + pairs - 1) / pairs);
  }
  const i64 rows = a.batch * a.heads * a.queries;
  x.delta = shared_scratch.get(round_up(rows, LANES) + (parts > 1 ? pairs * dq_floats * parts : 0));
  float *sums = x.delta + round_up(rows, LANES), *partial = sums + pairs * dq_floats;
#pragma omp parallel if (parallel)
  {
#pragma omp for schedule(static)
    for (i64 row = 0; row < rows; row++) {
      const i64 h = row / a.queries % a.heads, at = a.q_at(row / (a.queries * a.heads), row % a.queries, h);
      const T *dy = x.dy + at, *o = x.o + at;
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (i64 d = 0; d < a.dim; d++) sum += (float)dy[d] * (float)o[d];
      x.delta[row] = sum;
    }
    // Positions of a cache that take no part.
#pragma omp for schedule(static)
    for (i64 b = 0; b < a.batch; b++) {
      const i64 unused = (a.capacity - a.keys) * a.k_token() * sizeof(T);
      memset((void*)(x.dk + a.k_at(b, a.keys, 0)), 0, unused);
      memset((void*)(x.dv + a.k_at(b, a.keys, 0)), 0, unused);
    }
    if (parts > 1)
      grad_by_blocks(a, x, parts, sums, partial);
    else
      grad_by_heads(a, x);
  }
}

// `narrow`: all but lse are bf16. `key_count`: where the number of keys lies, or null for `most_keys`.
extern "C" void host_attention_grad(int narrow, const void* dy, const void* q, const void* k, const void* v, const void* o, const int* keep,
                                    const float* lse, void* dq, void* dk, void* dv, i64 batch, i64 queries, i64 most_keys, i64 capacity,
                                    const int* key_count, i64 heads, i64 groups, i64 dim, int causal, float scale) {
  const AttentionShape a = {batch, queries, key_count ? *key_count : most_keys, capacity, heads, groups, dim, causal, scale, keep};
  if (narrow) {
    typedef const bf16* In;
    run<bf16>(a, {(In)dy, (In)q, (In)k, (In)v, (In)o, lse, (bf16*)dq, (bf16*)dk, (bf16*)dv, nullptr});
  } else {
    typedef const float* In;
    run<float>(a, {(In)dy, (In)q, (In)k, (In)v, (In)o, lse, (float*)dq, (float*)dk, (float*)dv, nullptr});
  }
}
