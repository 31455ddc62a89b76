// Attention forward on tensor cores: Dao 2023 (FlashAttention-2). A block owns 64 or 128 queries of one head and walks the
// keys; a warp owns 16 or 32 of the queries and never shares scores with another.
//
// Keys are walked from the last block that is seen to the first, so that only the first steps need a mask. While a block's scores are made its values are on their way, and the next block's keys while its
// probabilities meet the values.
#include "flash.h"

constexpr int FORWARD_THREADS = 128, KEY_BLOCK = 64;

template <int DIM, int M>
struct Forward {
  static constexpr int N = KEY_BLOCK / 8, ROWS = FORWARD_THREADS / WARP * 16 * M;
  // Up to 32 registers of Q's fragments stay in registers.
  static constexpr bool KEEP_Q = DIM * M <= 128;

  float o[M][DIM / 8][4], top[M][2], sum[M][2];
  u32 q[M][KEEP_Q ? DIM / 16 : 1][4];

  // Hides what is not kept or lies beyond a row's limit; both count from this lane's first column.
  static MEMBER void hide(float (&s)[M][N][4], const u32 (&kept)[KEY_BLOCK / 32], const int (&limit)[M][2]) {
    UNROLL
    for (int m = 0; m < M; m++) {
      UNROLL
      for (int n = 0; n < N; n++) {
        UNROLL
        for (int e = 0; e < 4; e++)
          if (!(kept[n / 4] >> (n % 4 * 8 + e % 2) & 1) || n * 8 + e % 2 >= limit[m][e / 2]) s[m][n][e] = -infinity();
      }
    }
  }

  // Scores of a key block become probabilities against the running maximum; o and sum are rescaled when that rises.
  MEMBER void soften(float (&s)[M][N][4], float scale) {
    float next[M][2];
    bool risen = false;
    UNROLL
    for (int m = 0; m < M; m++) {
      UNROLL
      for (int half = 0; half < 2; half++) {
        next[m][half] = top[m][half];
        UNROLL
        for (int n = 0; n < N; n++) next[m][half] = fmaxf(next[m][half], fmaxf(s[m][n][half * 2], s[m][n][half * 2 + 1]));
        next[m][half] = quad_max(next[m][half]);
        risen |= next[m][half] != top[m][half];
      }
    }
    if (__any_sync(ALL_LANES, risen)) {
      UNROLL
      for (int m = 0; m < M; m++) {
        UNROLL
        for (int half = 0; half < 2; half++) {
          const float rescale = next[m][half] == top[m][half] ? 1.0f : exp2_((top[m][half] - next[m][half]) * scale);
          sum[m][half] *= rescale;
          top[m][half] = next[m][half];
          UNROLL
          for (int n = 0; n < DIM / 8; n++) o[m][n][half * 2] *= rescale, o[m][n][half * 2 + 1] *= rescale;
        }
      }
    }
    UNROLL
    for (int m = 0; m < M; m++) {
      UNROLL
      for (int half = 0; half < 2; half++) {
        // A query that has seen no key yet: every score is -inf, and so is every exponent.
        const float shift = top[m][half] == -infinity() ? 0.0f : top[m][half] * scale;
        UNROLL
        for (int n = 0; n < N; n++) {
          UNROLL
          for (int e = 0; e < 2; e++) {
            float& x = s[m][n][half * 2 + e];
            x = exp2_(x * scale - shift);
            sum[m][half] += x;
          }
        }
      }
    }
  }
};

template <int DIM, int M>
DEVICE void flash_forward(const bf16* q, const bf16* k, const bf16* v, const int* key_mask, const int* key_count, bf16* o, float* lse,
                          Problem p, float scale) {
  typedef Forward<DIM, M> State;
  constexpr int ROWS = State::ROWS;
  p.keys = count_keys(key_count, p.keys);
  const QueryBlock own = query_block<ROWS>(blockIdx.x, p);
  const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, t0 = own.t0;

  const u32 q_tile = shared_base(), k_tile = q_tile + Tile<DIM>::bytes(ROWS), v_tile = k_tile + Tile<DIM>::bytes(KEY_BLOCK);
  const auto load_keys = [&](u32 tile, const bf16* from, u32 at, int valid) {
    Tile<DIM>::template load<KEY_BLOCK, FORWARD_THREADS>(tile, from + at * (i64)8, p.key_token(), valid, p.head_dim);
    commit_copies();
  };

  State state;
  clear(state.o);
  UNROLL
  for (int m = 0; m < M; m++) state.top[m][0] = state.top[m][1] = -infinity(), state.sum[m][0] = state.sum[m][1] = 0.0f;

  const int last_t = t0 + ROWS < p.queries ? t0 + ROWS - 1 : p.queries - 1;
  const int seen = p.visible(last_t), seen_by_all = p.visible(t0);
  const int key_blocks = seen > 0 ? (seen + KEY_BLOCK - 1) / KEY_BLOCK : 0;
  // The blocks of keys that are left, and in the lowest three bits how many of them need a mask even without key_mask: those
  // from seen_by_all on, at most ROWS / KEY_BLOCK + 2. Two counters in one register, of which there are none to spare.
  u32 left = key_blocks * 8 + key_blocks - (seen_by_all < 0 ? 0 : seen_by_all / KEY_BLOCK);

  // Where the block's keys begin in k and v, in chunks of 16 bytes: 32 bits reach 64 GiB.
  u32 at = (u32)(p.key_at(own.b, (key_blocks - 1) * KEY_BLOCK, own.h / (p.heads / p.groups)) / 8);
  if (key_blocks > 0) {
    const int valid = p.keys - (key_blocks - 1) * KEY_BLOCK;
    Tile<DIM>::template load<ROWS, FORWARD_THREADS>(q_tile, q + p.query_at(own.b, t0, own.h), p.query_token(), p.queries - t0, p.head_dim);
    load_keys(k_tile, k, at, valid);
    wait_copies<0>();
    __syncthreads();
    load_keys(v_tile, v, at, valid);
  }
  if constexpr (State::KEEP_Q) load_fragments<DIM>(state.q, Fragments<DIM>::a(q_tile + Tile<DIM>::bytes(warp * 16 * M)));

  while (left >= 8) {
    float s[M][State::N][4];
    clear(s);
    if constexpr (State::KEEP_Q) {
      multiply_rows<DIM, M, State::N>(s, state.q, Fragments<DIM>::b(k_tile));
    } else {
      const int own_rows = (int)fresh(threadIdx.x) / WARP * 16 * M;
      multiply_rows<DIM, M, State::N>(s, Fragments<DIM>::a(q_tile + Tile<DIM>::bytes(own_rows)), Fragments<DIM>::b(k_tile));
    }
    wait_copies<0>();
    __syncthreads();
    at -= KEY_BLOCK / 8 * (u32)p.key_token();
    if (left >= 16) load_keys(k_tile, k, at, KEY_BLOCK);
    if (key_mask || left % 8 > 0) {
      const QueryBlock here = query_block<ROWS>(fresh(blockIdx.x), p);
      const int s0 = (left / 8 - 1) * KEY_BLOCK, column = lane % 4 * 2, row = here.t0 + warp * 16 * M + lane / 4;
      u32 kept[KEY_BLOCK / 32];
      kept_keys(kept, key_mask ? key_mask + (i64)here.b * p.capacity : nullptr, s0, p.keys);
      UNROLL
      for (int w = 0; w < KEY_BLOCK / 32; w++) kept[w] >>= column;
      int limit[M][2];
      UNROLL
      for (int m = 0; m < M; m++) {
        UNROLL
        for (int half = 0; half < 2; half++) limit[m][half] = p.visible(row + m * 16 + half * 8) - s0 - column;
      }
      State::hide(s, kept, limit);
    }
    state.soften(s, fresh(scale) * LOG2_E);
    multiply_columns<DIM>(state.o, s, Fragments<DIM>::a(v_tile));
    wait_copies<0>();
    __syncthreads();
    if (left >= 16) load_keys(v_tile, v, at, KEY_BLOCK);
    left -= left % 8 > 0 ? 9 : 8;
  }

  const QueryBlock done = query_block<ROWS>(fresh(blockIdx.x), p);
  const int warp_t = done.t0 + warp * 16 * M;
  float inverse[M][2];
  UNROLL
  for (int m = 0; m < M; m++) {
    UNROLL
    for (int half = 0; half < 2; half++) {
      const float sum = quad_sum(state.sum[m][half]);
      const int t = warp_t + m * 16 + half * 8 + lane / 4;
      inverse[m][half] = sum > 0.0f ? 1.0f / sum : 0.0f;
      if (t < p.queries && lane % 4 == 0)
        lse[p.statistic_at(done.b, done.h, t)] = sum > 0.0f ? state.top[m][half] * scale + logf(sum) : -infinity();
    }
  }
  store_rows<DIM, M>(q_tile + Tile<DIM>::bytes(warp * 16 * M), state.o, inverse, o + p.query_at(done.b, warp_t, done.h), p.query_token(),
                     p.queries - warp_t, p.head_dim);
}

// Two blocks of a multiprocessor's registers; fewer rows leave room for three.
#undef KERNEL
#define KERNEL extern "C" GLOBAL __launch_bounds__(FORWARD_THREADS, 2)

KERNEL flash_forward_32_rows64(const bf16* q, const bf16* k, const bf16* v, const int* key_mask, const int* key_count, bf16* o, float* lse,
                                int batch, int queries, int keys, int capacity, int heads, int groups, int head_dim, int causal, float scale) {
  flash_forward<32, 1>(q, k, v, key_mask, key_count, o, lse, {queries, keys, capacity, heads, groups, head_dim, causal}, scale);
}
KERNEL flash_forward_32_rows128(const bf16* q, const bf16* k, const bf16* v, const int* key_mask, const int* key_count, bf16* o, float* lse,
                                int batch, int queries, int keys, int capacity, int heads, int groups, int head_dim, int causal, float scale) {
  flash_forward<32, 2>(q, k, v, key_mask, key_count, o, lse, {queries, keys, capacity, heads, groups, head_dim, causal}, scale);
}
KERNEL flash_forward_64_rows64(const bf16* q, const bf16* k, const bf16* v, const int* key_mask, const int* key_count, bf16* o, float* lse,
                                int batch, int queries, int keys, int capacity, int heads, int groups, int head_dim, int causal, float scale) {
  flash_forward<64, 1>(q, k, v, key_mask, key_count, o, lse, {queries, keys, capacity, heads, groups, head_dim, causal}, scale);
}
KERNEL flash_forward_64_rows128(const bf16* q, const bf16* k, const bf16* v, const int* key_mask, const int* key_count, bf16* o, float* lse,
                                int batch, int queries, int keys, int capacity, int heads, int groups, int head_dim, int causal, float scale) {
  flash_forward<64, 2>(q, k, v, key_mask, key_count, o, lse, {queries, keys, capacity, heads, groups, head_dim, causal}, scale);
}
KERNEL flash_forward_96_rows64(const bf16* q, const bf16* k, const bf16* v, const int* key_mask, const int* key_count, bf16* o, float* lse,
                                int batch, int queries, int keys, int capacity, int heads, int groups, int head_dim, int causal, float scale) {
  flash_forward<96, 1>(q, k, v, key_mask, key_count, o, lse, {queries, keys, capacity, heads, groups, head_dim, causal}, scale);
}
KERNEL flash_forward_96_rows128(const bf16* q, const bf16* k, const bf16* v, const int* key_mask, const int* key_count, bf16* o, float* lse,
                                int batch, int queries, int keys, int capacity, int heads, int groups, int head_dim, int causal, float scale) {
  flash_forward<96, 2>(q, k, v, key_mask, key_count, o, lse, {queries, keys, capacity, heads, groups, head_dim, causal}, scale);
}
KERNEL flash_forward_128_rows64(const bf16* q, const bf16* k, const bf16* v, const int* key_mask, const int* key_count, bf16* o, float* lse,
                                int batch, int queries, int keys, int capacity, int heads, int groups, int head_dim, int causal, float scale) {
  flash_forward<128, 1>(q, k, v, key_mask, key_count, o, lse, {queries, keys, capacity, heads, groups, head_dim, causal}, scale);
}
KERNEL flash_forward_128_rows128(const bf16* q, const bf16* k, const bf16* v, const int* key_mask, const int* key_count, bf16* o, float* lse,
                                int batch, int queries, int keys, int capacity, int heads, int groups, int head_dim, int causal, float scale) {
  flash_forward<128, 2>(q, k, v, key_mask, key_count, o, lse, {queries, keys, capacity, heads, groups, head_dim, causal}, scale);
}
