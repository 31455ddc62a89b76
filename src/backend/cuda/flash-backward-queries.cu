// dq on tensor cores. A block owns 64 or 128 queries of one head and walks the keys that they see:
//   P = exp2(Q K^T scale' - lse'),  dS = P (dy V^T - delta),  dq += dS K
// Fragments of q and dy stay in registers, and the place of q in shared memory becomes the second stage of keys.
#include "flash.h"

template <int DIM, int M>
struct QueriesGradient {
  static constexpr int THREADS = 128, ROWS = THREADS / WARP * 16 * M, KEYS = 32, N = KEYS / 8;
  static constexpr int STAGE = Tile<DIM>::ROW_BYTES * 2 * KEYS, SHARED = Tile<DIM>::ROW_BYTES * 2 * ROWS + STAGE;
  static_assert(STAGE <= Tile<DIM>::ROW_BYTES * ROWS, "a stage fits in the place of q");

  static MEMBER void run(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const int* key_mask, const int* key_count,
                         const float* delta, const float* lse2, bf16* dq, Problem p, float scale) {
    p.keys = count_keys(key_count, p.keys);
    const QueryBlock own = query_block<ROWS>(blockIdx.x, p);
    const int b = own.b, h = own.h, g = h / (p.heads / p.groups), t0 = own.t0;
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, warp_t = t0 + warp * 16 * M, column = lane % 4 * 2;
    if (key_mask) key_mask += (i64)b * p.capacity;

    const u32 q_tile = shared_base(), dy_tile = q_tile + Tile<DIM>::bytes(ROWS), even_stage = dy_tile + Tile<DIM>::bytes(ROWS), odd_stage = q_tile;
    const u32 own_rows = Tile<DIM>::bytes(warp * 16 * M);
    const i64 head = p.key_at(b, 0, g);
    const auto load_keys = [&](u32 stage, int s0) {
      const i64 at = head + s0 * p.key_token();
      Tile<DIM>::template load<KEYS, THREADS>(stage, k + at, p.key_token(), p.keys - s0, p.head_dim);
      Tile<DIM>::template load<KEYS, THREADS>(stage + Tile<DIM>::bytes(KEYS), v + at, p.key_token(), p.keys - s0, p.head_dim);
      commit_copies();
    };

    const int last_t = t0 + ROWS < p.queries ? t0 + ROWS - 1 : p.queries - 1;
    const int seen = p.visible(last_t), seen_by_all = p.visible(t0);
    const int key_blocks = seen > 0 ? (seen + KEYS - 1) / KEYS : 0;
    // The first block of keys that needs a mask.
    const int masked_from = key_mask || seen_by_all < 0 ? 0 : seen_by_all / KEYS;

    float dq_sum[M][DIM / 8][4], shift[M][2], row_delta[M][2];
    u32 q_kept[M][DIM / 16][4], dy_kept[M][DIM / 16][4];
    clear(dq_sum);
    UNROLL
    for (int m = 0; m < M; m++) {
      UNROLL
      for (int half = 0; half < 2; half++) {
        const int t = warp_t + m * 16 + half * 8 + lane / 4;
        shift[m][half] = t < p.queries ? lse2[p.statistic_at(b, h, t)] : infinity();
        row_delta[m][half] = t < p.queries ? delta[p.statistic_at(b, h, t)] : 0.0f;
      }
    }
    if (key_blocks > 0) {
      const i64 at = p.query_at(b, t0, h);
      Tile<DIM>::template load<ROWS, THREADS>(q_tile, q + at, p.query_token(), p.queries - t0, p.head_dim);
      Tile<DIM>::template load<ROWS, THREADS>(dy_tile, dy + at, p.query_token(), p.queries - t0, p.head_dim);
      load_keys(even_stage, 0);
      wait_copies<0>();
      __syncthreads();
      load_fragments<DIM>(q_kept, Fragments<DIM>::a(q_tile + own_rows));
      load_fragments<DIM>(dy_kept, Fragments<DIM>::a(dy_tile + own_rows));
    }
    const float scale2 = scale * LOG2_E;
    for (int block = 0; block < key_blocks; block++) {
      const u32 k_tile = block % 2 ? odd_stage : even_stage, v_tile = k_tile + Tile<DIM>::bytes(KEYS);
      wait_copies<0>();
      __syncthreads();
      if (block + 1 < key_blocks) load_keys(block % 2 ? even_stage : odd_stage, (block + 1) * KEYS);

      float s[M][N][4], ds[M][N][4];
      clear(s);
      multiply_rows<DIM, M, N>(s, q_kept, Fragments<DIM>::b(k_tile));
      UNROLL
      for (int m = 0; m < M; m++) {
        UNROLL
        for (int n = 0; n < N; n++) {
          UNROLL
          for (int e = 0; e < 4; e++) s[m][n][e] = exp2_(s[m][n][e] * scale2 - shift[m][e / 2]);
        }
      }
      if (block >= masked_from) {
        u32 kept[1];
        kept_keys(kept, key_mask, block * KEYS, p.keys);
        kept[0] >>= column;
        UNROLL
        for (int m = 0; m < M; m++) {
          UNROLL
          for (int e = 0; e < 4; e++) {
            const int limit = p.visible(warp_t + m * 16 + e / 2 * 8 + lane / 4) - block * KEYS - column;
            UNROLL
            for (int n = 0; n < N; n++)
              if (!(kept[0] >> (n * 8 + e % 2) & 1) || n * 8 + e % 2 >= limit) s[m][n][e] = 0.0f;
          }
        }
      }
      clear(ds);
      multiply_rows<DIM, M, N>(ds, dy_kept, Fragments<DIM>::b(v_tile));
      UNROLL
      for (int m = 0; m < M; m++) {
        UNROLL
        for (int n = 0; n < N; n++) {
          UNROLL
          for (int e = 0; e < 4; e++) ds[m][n][e] = s[m][n][e] * (ds[m][n][e] - row_delta[m][e / 2]);
        }
      }
      multiply_columns<DIM>(dq_sum, ds, Fragments<DIM>::a(k_tile));
    }

    float dq_scale[M][2];
    UNROLL
    for (int m = 0; m < M; m++) dq_scale[m][0] = dq_scale[m][1] = scale;
    // No stage lies in the place of dy.
    store_rows<DIM, M>(dy_tile + own_rows, dq_sum, dq_scale, dq + p.query_at(b, warp_t, h), p.query_token(), p.queries - warp_t, p.head_dim);
  }
};

typedef QueriesGradient<32, 2> QueriesGradient32;
typedef QueriesGradient<64, 2> QueriesGradient64;
typedef QueriesGradient<96, 1> QueriesGradient96;
typedef QueriesGradient<128, 1> QueriesGradient128;

#undef KERNEL
#define KERNEL extern "C" GLOBAL __launch_bounds__(128, 2)
KERNEL flash_backward_queries_32(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const int* key_mask, const int* key_count,
                                 const float* delta, const float* lse2, bf16* dq, int batch, int queries, int keys, int capacity, int heads,
                                 int groups, int head_dim, int causal, float scale) {
  QueriesGradient32::run(q, k, v, dy, key_mask, key_count, delta, lse2, dq, {queries, keys, capacity, heads, groups, head_dim, causal}, scale);
}
KERNEL flash_backward_queries_64(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const int* key_mask, const int* key_count,
                                 const float* delta, const float* lse2, bf16* dq, int batch, int queries, int keys, int capacity, int heads,
                                 int groups, int head_dim, int causal, float scale) {
  QueriesGradient64::run(q, k, v, dy, key_mask, key_count, delta, lse2, dq, {queries, keys, capacity, heads, groups, head_dim, causal}, scale);
}
KERNEL flash_backward_queries_96(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const int* key_mask, const int* key_count,
                                 const float* delta, const float* lse2, bf16* dq, int batch, int queries, int keys, int capacity, int heads,
                                 int groups, int head_dim, int causal, float scale) {
  QueriesGradient96::run(q, k, v, dy, key_mask, key_count, delta, lse2, dq, {queries, keys, capacity, heads, groups, head_dim, causal}, scale);
}
KERNEL flash_backward_queries_128(const bf16* q, const bf16* k, const bf16* v, const bf16* dy, const int* key_mask, const int* key_count,
                                 const float* delta, const float* lse2, bf16* dq, int batch, int queries, int keys, int capacity, int heads,
                                 int groups, int head_dim, int causal, float scale) {
  QueriesGradient128::run(q, k, v, dy, key_mask, key_count, delta, lse2, dq, {queries, keys, capacity, heads, groups, head_dim, causal}, scale);
}
