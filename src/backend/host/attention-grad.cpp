#include "attention.h"

#include <omp.h>

static thread_local Scratch scratch;

struct GradBuffers {
  float *k_rows, *k_columns, *v_columns, *q_rows, *dy_rows, *p, *dp;
};

// Adds one tile's part to dq, dk and dv. With P = exp(S - lse), dS = P (dP - delta) scale:
//   dv += P^T dy, dk += dS^T q, dq += dS k.
static void tile_grad(const AttentionShape& a, i64 b, i64 h, i64 t0, i64 rows, i64 s0, int cols, i64 block, const float* q, const float* dy,
                      const float* delta, const float* lse, float* dq, float* dk, float* dv, const GradBuffers& w) {
  const int width = (int)pad(cols);
  masked_scores(a, b, t0, rows, s0, cols, q, {w.k_columns, a.dim, block}, w.p, width);
  multiply_panels(rows, width, a.dim, rows_in_place(dy, a.q_token(), 1), {w.v_columns, a.dim, block}, {w.dp, width});
  const float* row_lse = lse + (b * a.heads + h) * a.queries + t0;
  for (i64 i = 0; i < rows; i++) {
    float *p = w.p + i * width, *ds = w.dp + i * width;
    const float shift = row_lse[i] == -INFINITY ? INFINITY : row_lse[i], d = delta[i];
#pragma omp simd
    for (int j = 0; j < width; j++) {
      const float pij = exp_(p[j] - shift);
      p[j] = pij;
      ds[j] = pij * (ds[j] - d) * a.scale;
    }
  }
  pack_columns(rows, a.dim, Matrix<float>{dy, a.q_token(), 1}, w.dy_rows);
  pack_columns(rows, a.dim, Matrix<float>{q, a.q_token(), 1}, w.q_rows);
  multiply_panels(cols, a.dim, rows, rows_in_place(w.p, 1, width), {w.dy_rows, rows, a.dim}, {dv, a.k_token(), true});
  multiply_panels(cols, a.dim, rows, rows_in_place(w.dp, 1, width), {w.q_rows, rows, a.dim}, {dk, a.k_token(), true});
  multiply_panels(rows, a.dim, cols, rows_in_place(w.dp, width, 1), {w.k_rows, block, a.dim}, {dq, a.q_token(), true});
}

// A task is one key head: it alone writes its dk, dv and its query heads' dq.
extern "C" void host_attention_grad(const float* dy, const float* q, const float* k, const float* v, const float* o, const int* keep,
                                    const float* lse, float* dq, float* dk, float* dv, i64 batch, i64 queries, i64 most_keys, i64 capacity,
                                    const int* key_count, i64 heads, i64 groups, i64 dim, int causal, float scale) {
  const i64 keys = key_count ? *key_count : most_keys;
  const AttentionShape a = {batch, queries, keys, capacity, heads, groups, dim, causal, scale, keep};
  const i64 per_group = heads / groups, tasks = batch * groups;
  // The heads of an item lie interleaved in the same cache lines: one thread takes them all.
  const i64 chunk = batch >= 4 * omp_get_max_threads() ? groups : 1;
  const double work = 10.0 * batch * heads * queries * keys * dim;
#pragma omp parallel for schedule(dynamic, chunk) if (work > PARALLEL_FLOPS && tasks > 1)
  for (i64 task = 0; task < tasks; task++) {
    const i64 b = task / groups, g = task % groups;
    const i64 panel = (KEY_BLOCK > QUERY_BLOCK ? KEY_BLOCK : QUERY_BLOCK) * (dim + NR), tile = QUERY_BLOCK * KEY_BLOCK;
    float* base = scratch.get(5 * panel + 2 * tile + per_group * queries);
    const GradBuffers w = {base,         base + panel,     base + 2 * panel,       base + 3 * panel, base + 4 * panel, base + 5 * panel,
                           base + 5 * panel + tile};
    float* delta = base + 5 * panel + 2 * tile;
    for (i64 t = 0; t < queries; t++)
      for (i64 h = 0; h < per_group; h++) {
        const i64 at = a.q_at(b, t, g * per_group + h);
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (i64 d = 0; d < dim; d++) sum += dy[at + d] * o[at + d];
        delta[h * queries + t] = sum;
        memset(dq + at, 0, dim * sizeof(float));
      }
    for (i64 s = 0; s < keys; s++) {
      memset(dk + a.k_at(b, s, g), 0, dim * sizeof(float));
      memset(dv + a.k_at(b, s, g), 0, dim * sizeof(float));
    }
    for (i64 s0 = 0; s0 < keys; s0 += KEY_BLOCK) {
      const i64 at_k = a.k_at(b, s0, g), block = least(keys - s0, KEY_BLOCK);
      pack_columns(dim, block, Matrix<float>{k + at_k, 1, a.k_token()}, w.k_columns);
      pack_columns(dim, block, Matrix<float>{v + at_k, 1, a.k_token()}, w.v_columns);
      pack_columns(block, dim, Matrix<float>{k + at_k, a.k_token(), 1}, w.k_rows);
      for (i64 h = 0; h < per_group; h++)
        for (i64 t0 = 0; t0 < queries; t0 += QUERY_BLOCK) {
          const i64 rows = least(queries - t0, QUERY_BLOCK);
          const int cols = (int)least(a.visible(t0 + rows - 1) - s0, block);
          if (cols <= 0) continue;
          const i64 at_q = a.q_at(b, t0, g * per_group + h);
          tile_grad(a, b, g * per_group + h, t0, rows, s0, cols, block, q + at_q, dy + at_q, delta + h * queries + t0, lse, dq + at_q,
                    dk + at_k, dv + at_k, w);
        }
    }
  }
}
