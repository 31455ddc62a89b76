// dk and dv on tensor cores. A block owns KEYS keys of one key head and walks the queries of all the heads that read it,
// so that the sums over queries and heads stay in its registers and their order is fixed.
//
// Scores are made transposed, keys by queries: rounded to bf16 they are at once the left operand of the next product,
//   P^T = exp2(K Q^T scale' - lse'),  dv += P^T dy,  dS^T = P^T (V dy^T - delta),  dk += dS^T Q
// and keys that a mask hides are rows whose sums are thrown away at the end.
#include "flash.h"

template <int DIM, int M, int WARPS, int QUERIES>
struct KeysGradient {
  static constexpr int THREADS = WARPS * WARP, KEYS = WARPS * 16 * M, N = QUERIES / 8;
  // A stage holds q and dy of QUERIES queries and their lse' and delta.
  static constexpr int STAGE = 2 * QUERIES * (Tile<DIM>::ROW_BYTES + 4), SHARED = 2 * KEYS * Tile<DIM>::ROW_BYTES + 2 * STAGE;

  static MEMBER void run(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const int* key_mask, const int* key_count,
                         const float* delta, const float* lse2, bf16* dk, bf16* dv, Problem p, float scale) {
    p.keys = count_keys(key_count, p.keys);
    const int blocks = (p.capacity + KEYS - 1) / KEYS, j0 = (int)(blockIdx.x % blocks) * KEYS;
    const int pair = (int)(blockIdx.x / blocks), b = pair / p.groups, g = pair % p.groups;
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, warp_j = j0 + warp * 16 * M, row = lane / 4, column = lane % 4 * 2;
    const int per_group = p.heads / p.groups, offset = p.keys - p.queries;

    const u32 k_tile = shared_base(), v_tile = k_tile + Tile<DIM>::bytes(KEYS), stages = v_tile + Tile<DIM>::bytes(KEYS);
    const u32 own_rows = Tile<DIM>::bytes(warp * 16 * M);

    // The first query that sees key j0, and from which on all see all of the block.
    const int first_t = p.causal && j0 > offset ? j0 - offset : 0;
    const int open_t = p.causal ? j0 + KEYS - 1 - offset : 0;
    const int first_block = first_t / QUERIES;
    const int per_head = j0 < p.keys && first_t < p.queries ? (p.queries + QUERIES - 1) / QUERIES - first_block : 0;
    const int steps = per_head * per_group;

    const auto load_queries = [&](u32 stage, int h, int t) {
      const int valid = p.queries - t;
      const i64 at = p.query_at(b, t, h), statistic = p.statistic_at(b, h, t);
      Tile<DIM>::template load<QUERIES, THREADS>(stage, q + at, p.query_token(), valid, p.head_dim);
      Tile<DIM>::template load<QUERIES, THREADS>(stage + Tile<DIM>::bytes(QUERIES), dy + at, p.query_token(), valid, p.head_dim);
      const int i = threadIdx.x;
      if (i < 2 * QUERIES)
        copy_async_4(stage + 2 * Tile<DIM>::bytes(QUERIES) + i * 4, (i < QUERIES ? lse2 : delta) + statistic + i % QUERIES, i % QUERIES < valid);
      commit_copies();
    };

    float dk_sum[M][DIM / 8][4], dv_sum[M][DIM / 8][4];
    clear(dk_sum);
    clear(dv_sum);
    if (steps > 0) {
      const i64 at = p.key_at(b, j0, g);
      Tile<DIM>::template load<KEYS, THREADS>(k_tile, k + at, p.key_token(), p.keys - j0, p.head_dim);
      Tile<DIM>::template load<KEYS, THREADS>(v_tile, v + at, p.key_token(), p.keys - j0, p.head_dim);
      load_queries(stages, g * per_group, first_block * QUERIES);
    }
    const float scale2 = scale * LOG2_E;
    int h = g * per_group, t0 = first_block * QUERIES;
    for (int step = 0; step < steps; step++) {
      const u32 stage = stages + step % 2 * STAGE, q_tile = stage, dy_tile = stage + Tile<DIM>::bytes(QUERIES);
      const u32 statistics = stage + 2 * Tile<DIM>::bytes(QUERIES) + column * 4;
      wait_copies<0>();
      __syncthreads();
      const bool last_of_head = t0 + QUERIES >= p.queries;
      const int next_h = last_of_head ? h + 1 : h, next_t = last_of_head ? first_block * QUERIES : t0 + QUERIES;
      if (step + 1 < steps) load_queries(stages + (step + 1) % 2 * STAGE, next_h, next_t);

      float s[M][N][4], ds[M][N][4];
      clear(s);
      multiply_rows<DIM, M, N>(s, Fragments<DIM>::a(k_tile + own_rows), Fragments<DIM>::b(q_tile));
      UNROLL
      for (int n = 0; n < N; n++) {
        UNROLL
        for (int e = 0; e < 2; e++) {
          const float shift = load_shared(statistics + (n * 8 + e) * 4);
          UNROLL
          for (int m = 0; m < M; m++) {
            s[m][n][e] = exp2_(s[m][n][e] * scale2 - shift);
            s[m][n][e + 2] = exp2_(s[m][n][e + 2] * scale2 - shift);
          }
        }
      }
      if (t0 < open_t) {
        UNROLL
        for (int m = 0; m < M; m++) {
          // A column sees the row where its query is at least this far from the first.
          const int least = warp_j + m * 16 + row - offset - t0 - column;
          UNROLL
          for (int n = 0; n < N; n++) {
            UNROLL
            for (int e = 0; e < 4; e++)
              if (n * 8 + e % 2 < least + e / 2 * 8) s[m][n][e] = 0.0f;
          }
        }
      }
      multiply_columns<DIM>(dv_sum, s, Fragments<DIM>::a(dy_tile));

      clear(ds);
      multiply_rows<DIM, M, N>(ds, Fragments<DIM>::a(v_tile + own_rows), Fragments<DIM>::b(dy_tile));
      UNROLL
      for (int n = 0; n < N; n++) {
        UNROLL
        for (int e = 0; e < 2; e++) {
          const float row_delta = load_shared(statistics + (QUERIES + n * 8 + e) * 4);
          UNROLL
          for (int m = 0; m < M; m++) {
            ds[m][n][e] = s[m][n][e] * (ds[m][n][e] - row_delta);
            ds[m][n][e + 2] = s[m][n][e + 2] * (ds[m][n][e + 2] - row_delta);
          }
        }
      }
      multiply_columns<DIM>(dk_sum, ds, Fragments<DIM>::a(q_tile));

      h = next_h;
      t0 = next_t;
    }

    float dk_scale[M][2], dv_scale[M][2];
    UNROLL
    for (int m = 0; m < M; m++) {
      UNROLL
      for (int half = 0; half < 2; half++) {
        const int j = warp_j + m * 16 + half * 8 + row;
        const bool kept = j < p.keys && (!key_mask || key_mask[(i64)b * p.capacity + j]);
        dk_scale[m][half] = kept ? scale : 0.0f;
        dv_scale[m][half] = kept ? 1.0f : 0.0f;
      }
    }
    const i64 at = p.key_at(b, warp_j, g);
    const int valid = p.capacity - warp_j;
    store_rows<DIM, M>(k_tile + own_rows, dk_sum, dk_scale, dk + at, p.key_token(), valid, p.head_dim);
    store_rows<DIM, M>(v_tile + own_rows, dv_sum, dv_scale, dv + at, p.key_token(), valid, p.head_dim);
  }
};

typedef KeysGradient<32, 2, 4, 32> KeysGradient32;
typedef KeysGradient<64, 2, 4, 32> KeysGradient64;
typedef KeysGradient<96, 1, 8, 32> KeysGradient96;
typedef KeysGradient<128, 1, 8, 32> KeysGradient128;

#undef KERNEL
#define KERNEL extern "C" GLOBAL __launch_bounds__(128)
KERNEL flash_backward_keys_32(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const int* key_mask, const int* key_count,
                              const float* delta, const float* lse2, bf16* dk, bf16* dv, int batch, int queries, int keys, int capacity,
                              int heads, int groups, int head_dim, int causal, float scale) {
  KeysGradient32::run(q, k, v, dy, key_mask, key_count, delta, lse2, dk, dv, {queries, keys, capacity, heads, groups, head_dim, causal}, scale);
}
#undef KERNEL
#define KERNEL extern "C" GLOBAL __launch_bounds__(128)
KERNEL flash_backward_keys_64(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const int* key_mask, const int* key_count,
                              const float* delta, const float* lse2, bf16* dk, bf16* dv, int batch, int queries, int keys, int capacity,
                              int heads, int groups, int head_dim, int causal, float scale) {
  KeysGradient64::run(q, k, v, dy, key_mask, key_count, delta, lse2, dk, dv, {queries, keys, capacity, heads, groups, head_dim, causal}, scale);
}
#undef KERNEL
#define KERNEL extern "C" GLOBAL __launch_bounds__(256)
KERNEL flash_backward_keys_96(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const int* key_mask, const int* key_count,
                              const float* delta, const float* lse2, bf16* dk, bf16* dv, int batch, int queries, int keys, int capacity,
                              int heads, int groups, int head_dim, int causal, float scale) {
  KeysGradient96::run(q, k, v, dy, key_mask, key_count, delta, lse2, dk, dv, {queries, keys, capacity, heads, groups, head_dim, causal}, scale);
}
#undef KERNEL
#define KERNEL extern "C" GLOBAL __launch_bounds__(256)
KERNEL flash_backward_keys_128(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const int* key_mask, const int* key_count,
                              const float* delta, const float* lse2, bf16* dk, bf16* dv, int batch, int queries, int keys, int capacity,
                              int heads, int groups, int head_dim, int causal, float scale) {
  KeysGradient128::run(q, k, v, dy, key_mask, key_count, delta, lse2, dk, dv, {queries, keys, capacity, heads, groups, head_dim, causal}, scale);
}
