// Attention of few queries over many keys: reading K and V once is the work. The keys are cut into `splits` ranges, a block
// each (Dao et al. 2023, Flash-Decoding), and attention_combine_bf16 puts the partial results together in a fixed order.
//
// A block's 16 rows are queries and the heads of one key head together, row = t * (heads / groups) + head. Its four warps
// walk disjoint keys of the range, each with copies of its own under way and no barrier, and meet at the end.
#include "flash.h"

template <int DIM>
struct Decode {
  static constexpr int WARPS = 4, THREADS = WARPS * WARP, ROWS = 16, KEYS = 16, N = KEYS / 8, STAGES = 2;
  // A warp's stages of K and V; its sums, in fp32, take their place at the end.
  static constexpr int STAGE = 2 * KEYS * Tile<DIM>::ROW_BYTES, RING = STAGES * STAGE, SUMS = ROWS * (DIM * 4 + 16);
  static constexpr int PER_WARP = RING > SUMS ? RING : SUMS;
  static constexpr int SHARED = WARPS * PER_WARP + Tile<DIM>::ROW_BYTES * ROWS + WARPS * ROWS * 2 * 4;

  static MEMBER void run(const bf16* q, const bf16* k, const bf16* v, const int* key_mask, const int* key_count, bf16* o, float* lse,
                         float* partial_o, float* partial_lse2, int batch, Problem p, float scale, int splits) {
    p.keys = count_keys(key_count, p.keys);
    const int per_group = p.heads / p.groups, rows = p.queries * per_group, row_blocks = (rows + ROWS - 1) / ROWS;
    const int split = (int)(blockIdx.x % splits);
    const int rest = (int)(blockIdx.x / splits), first_row = rest % row_blocks * ROWS, pair = rest / row_blocks, b = pair / p.groups, g = pair % p.groups;
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, column = lane % 4 * 2;
    if (key_mask) key_mask += (i64)b * p.capacity;

    // The range: whole steps of the block, so that at most one warp's last step is cut.
    const int steps_of_all = (p.keys + WARPS * KEYS - 1) / (WARPS * KEYS), length = (steps_of_all + splits - 1) / splits * WARPS * KEYS;
    const int begin = split * length < p.keys ? split * length : p.keys, end = begin + length < p.keys ? begin + length : p.keys;

    const u32 ring = shared_base() + warp * PER_WARP, q_tile = shared_base() + WARPS * PER_WARP, tops = q_tile + Tile<DIM>::bytes(ROWS);
    const bf16 *k_head = k + p.key_at(b, 0, g), *v_head = v + p.key_at(b, 0, g);
    const auto load_keys = [&](int stage, int s0) {
      const u32 tile = ring + stage * STAGE;
      const i64 at = s0 * p.key_token();
      Tile<DIM>::template load<KEYS, WARP>(tile, k_head + at, p.key_token(), end - s0, p.head_dim);
      Tile<DIM>::template load<KEYS, WARP>(tile + Tile<DIM>::bytes(KEYS), v_head + at, p.key_token(), end - s0, p.head_dim);
      commit_copies();
    };
    const auto row_address = [&](int r) { return p.query_at(b, r / per_group, g * per_group + r % per_group); };

    for (int i = threadIdx.x; i < ROWS * Tile<DIM>::CHUNKS; i += THREADS) {
      const int r = i / Tile<DIM>::CHUNKS, c = i % Tile<DIM>::CHUNKS;
      const bool valid = first_row + r < rows && c * 8 < p.head_dim;
      copy_async_16(Tile<DIM>::at(q_tile, r, c), q + (valid ? row_address(first_row + r) + c * 8 : 0), valid);
    }
    commit_copies();
    int s0 = begin + warp * KEYS;
    load_keys(0, s0);
    wait_copies<1>();
    __syncthreads();
    u32 q_kept[1][DIM / 16][4];
    load_fragments<DIM>(q_kept, Fragments<DIM>::a(q_tile));

    float acc[1][DIM / 8][4], top[2] = {-infinity(), -infinity()}, sum[2] = {0.0f, 0.0f};
    clear(acc);
    const float scale2 = scale * LOG2_E;
    for (int step = 0; s0 < end; s0 += WARPS * KEYS, step++) {
      const u32 k_tile = ring + step % STAGES * STAGE, v_tile = k_tile + Tile<DIM>::bytes(KEYS);
      // Every lane has read the stage that is filled now; past the end the copies are of zeros.
      __syncwarp();
      load_keys((step + 1) % STAGES, s0 + WARPS * KEYS);
      wait_copies<1>();
      __syncwarp();
      float s[1][N][4];
      clear(s);
      multiply_rows<DIM, 1, N>(s, q_kept, Fragments<DIM>::b(k_tile));
      u32 kept[1];
      kept_keys(kept, key_mask, s0, end);
      kept[0] >>= column;
      UNROLL
      for (int half = 0; half < 2; half++) {
        const int limit = p.visible((first_row + half * 8 + lane / 4) / per_group) - s0 - column;
        float next = top[half];
        UNROLL
        for (int n = 0; n < N; n++) {
          UNROLL
          for (int e = 0; e < 2; e++) {
            float& x = s[0][n][half * 2 + e];
            if (!(kept[0] >> (n * 8 + e) & 1) || n * 8 + e >= limit) x = -infinity();
            next = fmaxf(next, x);
          }
        }
        next = quad_max(next);
        const float shift = next == -infinity() ? 0.0f : next * scale2, rescale = exp2_(top[half] * scale2 - shift);
        top[half] = next;
        sum[half] *= rescale;
        UNROLL
        for (int n = 0; n < N; n++) {
          UNROLL
          for (int e = 0; e < 2; e++) {
            float& x = s[0][n][half * 2 + e];
            x = exp2_(x * scale2 - shift);
            sum[half] += x;
          }
        }
        UNROLL
        for (int n = 0; n < DIM / 8; n++) acc[0][n][half * 2] *= rescale, acc[0][n][half * 2 + 1] *= rescale;
      }
      multiply_columns<DIM>(acc, s, Fragments<DIM>::a(v_tile));
    }
    wait_copies<0>();
    __syncwarp();

    // The warps meet: each brings its sums to the block's maximum, then every thread adds four numbers in order.
    UNROLL
    for (int half = 0; half < 2; half++) {
      sum[half] = quad_sum(sum[half]);
      const u32 at = tops + (warp * ROWS + half * 8 + lane / 4) * 8;
      if (lane % 4 == 0) store_shared(at, top[half] == -infinity() ? top[half] : top[half] * scale2), store_shared(at + 4, sum[half]);
    }
    __syncthreads();
    UNROLL
    for (int half = 0; half < 2; half++) {
      const int r = half * 8 + lane / 4;
      float most = -infinity();
      UNROLL
      for (int w = 0; w < WARPS; w++) most = fmaxf(most, load_shared(tops + (w * ROWS + r) * 8));
      const float rescale = most == -infinity() ? 0.0f : exp2_(top[half] * scale2 - most);
      UNROLL
      for (int n = 0; n < DIM / 8; n++) {
        const u32 at = ring + r * (DIM * 4 + 16) + (n * 8 + column) * 4;
        store_shared(at, acc[0][n][half * 2] * rescale);
        store_shared(at + 4, acc[0][n][half * 2 + 1] * rescale);
      }
    }
    __syncthreads();
    const i64 all_rows = (i64)batch * p.queries * p.heads;
    for (int i = threadIdx.x; i < ROWS * DIM; i += THREADS) {
      const int r = i / DIM, d = i % DIM;
      if (first_row + r >= rows || d >= p.head_dim) continue;
      float most = -infinity(), total = 0.0f, value = 0.0f;
      UNROLL
      for (int w = 0; w < WARPS; w++) most = fmaxf(most, load_shared(tops + (w * ROWS + r) * 8));
      UNROLL
      for (int w = 0; w < WARPS; w++) {
        const u32 at = tops + (w * ROWS + r) * 8;
        total += most == -infinity() ? 0.0f : load_shared(at + 4) * exp2_(load_shared(at) - most);
        value += load_shared(shared_base() + w * PER_WARP + r * (DIM * 4 + 16) + d * 4);
      }
      value = total > 0.0f ? value / total : 0.0f;
      const i64 at = row_address(first_row + r), row = at / p.head_dim;
      if (splits == 1) {
        o[at + d] = bf16(value);
      } else {
        partial_o[split * all_rows * p.head_dim + at + d] = value;
      }
      if (d > 0) continue;
      if (splits == 1) {
        const i64 h = row % p.heads, t = row / p.heads % p.queries;
        lse[p.statistic_at(b, h, t)] = total > 0.0f ? most * LN_2 + logf(total) : -infinity();
      } else {
        partial_lse2[split * all_rows + row] = total > 0.0f ? most + log2f(total) : -infinity();
      }
    }
  }
};

#undef KERNEL
#define KERNEL extern "C" GLOBAL __launch_bounds__(128)
KERNEL flash_decode_32(const bf16* q, const bf16* k, const bf16* v, const int* key_mask, const int* key_count, bf16* o, float* lse,
                       float* partial_o, float* partial_lse2, int batch, int queries, int keys, int capacity, int heads, int groups, int head_dim,
                       int causal, float scale, int splits) {
  Decode<32>::run(q, k, v, key_mask, key_count, o, lse, partial_o, partial_lse2, batch, {queries, keys, capacity, heads, groups, head_dim, causal},
                  scale, splits);
}
KERNEL flash_decode_64(const bf16* q, const bf16* k, const bf16* v, const int* key_mask, const int* key_count, bf16* o, float* lse,
                       float* partial_o, float* partial_lse2, int batch, int queries, int keys, int capacity, int heads, int groups, int head_dim,
                       int causal, float scale, int splits) {
  Decode<64>::run(q, k, v, key_mask, key_count, o, lse, partial_o, partial_lse2, batch, {queries, keys, capacity, heads, groups, head_dim, causal},
                  scale, splits);
}
KERNEL flash_decode_96(const bf16* q, const bf16* k, const bf16* v, const int* key_mask, const int* key_count, bf16* o, float* lse,
                       float* partial_o, float* partial_lse2, int batch, int queries, int keys, int capacity, int heads, int groups, int head_dim,
                       int causal, float scale, int splits) {
  Decode<96>::run(q, k, v, key_mask, key_count, o, lse, partial_o, partial_lse2, batch, {queries, keys, capacity, heads, groups, head_dim, causal},
                  scale, splits);
}
KERNEL flash_decode_128(const bf16* q, const bf16* k, const bf16* v, const int* key_mask, const int* key_count, bf16* o, float* lse,
                       float* partial_o, float* partial_lse2, int batch, int queries, int keys, int capacity, int heads, int groups, int head_dim,
                       int causal, float scale, int splits) {
  Decode<128>::run(q, k, v, key_mask, key_count, o, lse, partial_o, partial_lse2, batch, {queries, keys, capacity, heads, groups, head_dim, causal},
                  scale, splits);
}
