// What the attention kernels on tensor cores share: tiles in shared memory, their fragments, the problem's geometry.
//
// A tile holds rows of DIM bf16 numbers in chunks of 16 bytes. Chunks of a row change places by the row's number, so that
// the eight rows an 8 x 8 matrix is loaded from lie in eight different groups of four banks: no conflicts.
#pragma once
#include "mma.h"

struct Problem {
  int queries, keys, capacity, heads, groups, head_dim, causal;

  MEMBER i64 query_token() const { return (i64)heads * head_dim; }
  MEMBER i64 key_token() const { return (i64)groups * head_dim; }
  MEMBER i64 query_at(i64 b, i64 t, i64 h) const { return ((b * queries + t) * heads + h) * head_dim; }
  MEMBER i64 key_at(i64 b, i64 s, i64 g) const { return ((b * capacity + s) * groups + g) * head_dim; }
  MEMBER i64 statistic_at(i64 b, i64 h, i64 t) const { return (b * heads + h) * queries + t; }
  // How many leading keys query t sees, at most `keys`; may be negative.
  MEMBER int visible(int t) const {
    const int limit = t + keys - queries + 1;
    return causal && limit < keys ? limit : keys;
  }
};

// The number of keys that take part. Volatile: may be read again where keeping it would cost a register.
DEVICE int count_keys(const int* key_count, int keys) { return key_count ? *(const volatile int*)key_count : keys; }

// Which ROWS queries a block of threads owns. Under a causal mask the last queries have the most work: they begin first.
// Cheap enough to be derived again where keeping it would cost registers.
struct QueryBlock {
  int b, h, t0;
};
template <int ROWS>
DEVICE QueryBlock query_block(u32 index, const Problem& p) {
  const u32 blocks = (p.queries + ROWS - 1) / ROWS, pair = index / blocks;
  return {(int)(pair / p.heads), (int)(pair % p.heads), (int)(blocks - 1 - index % blocks) * ROWS};
}

template <int DIM>
struct Tile {
  static constexpr int ROW_BYTES = DIM * 2, CHUNKS = DIM / 8;
  // Rows of 64 or 128 numbers begin at the same bank: eight places to rotate among. The others begin at one of two: four.
  static constexpr bool EIGHT = DIM % 64 == 0;
  static MEMBER constexpr int bytes(int rows) { return rows * ROW_BYTES; }
  static MEMBER u32 twist(int row) { return EIGHT ? row & 7 : row >> 1 & 3; }
  static MEMBER u32 at(u32 tile, int row, int chunk) { return tile + row * ROW_BYTES + (((u32)chunk ^ twist(row)) << 4); }

  // Begins to copy ROWS rows, the first `valid` of them there; the rest, and columns from head_dim on, become zeros.
  // With ROWS as `valid` the compiler drops the test.
  template <int ROWS, int THREADS>
  static MEMBER void load(u32 tile, const bf16* from, i64 token, int valid, int head_dim) {
    constexpr int LANES = EIGHT ? 8 : 4, STEP = THREADS / LANES;
    static_assert(STEP % 4 == 0 || ROWS <= STEP, "a pass turns the twist of a thread's row by a constant");
    const int thread = (int)(fresh(threadIdx.x) % THREADS), lane = thread % LANES, first = thread / LANES;
    if (STEP > ROWS && first >= ROWS) return;
    from += first * token + lane * 8;
    const u32 to = at(tile, first, lane);
    UNROLL
    for (int r = 0; r < ROWS; r += STEP) {
      UNROLL
      for (int c = 0; c < CHUNKS; c += LANES)
        copy_async_16((to ^ (EIGHT ? r & 7 : 0) << 4) + r * ROW_BYTES + c * 16, from + c * 8, first + r < valid && (lane + c) * 8 < head_dim);
      from += STEP * token;
    }
  }
};

// Addresses of a lane for fragments of a tile: `a` for A operands and, transposed, for B operands whose rows are the summed
// dimension; `b` for B operands whose columns are the tile's rows. Blocks of 16 rows, steps of 16 columns. Derived from the
// lane where they are used: a few instructions in a loop of hundreds, instead of registers across it.
template <int DIM>
struct Fragments {
  u32 first;
  static MEMBER Fragments a(u32 tile) {
    const int lane = (int)(fresh(threadIdx.x) % WARP);
    return {Tile<DIM>::at(tile, lane % 16, lane / 16)};
  }
  static MEMBER Fragments b(u32 tile) {
    const int lane = (int)(fresh(threadIdx.x) % WARP);
    return {Tile<DIM>::at(tile, lane % 8 + lane / 16 * 8, lane / 8 % 2)};
  }
  // The twist lives in the bits of four steps (two of short rows): one exclusive or, the rest is a constant.
  MEMBER u32 at(int first_row, int step) const {
    constexpr int TWISTED = Tile<DIM>::EIGHT ? 3 : 1;
    return (first ^ (u32)(step & TWISTED) << 5) + (step & ~TWISTED) * 32 + first_row * Tile<DIM>::ROW_BYTES;
  }
};

// acc[row block][column block of 8] += A B^T: A the fragments `a[row block][step]`, B the rows of the tile.
template <int DIM, int M, int N>
DEVICE void multiply_rows(float (&acc)[M][N][4], const u32 (&a)[M][DIM / 16][4], const Fragments<DIM>& b) {
  UNROLL
  for (int step = 0; step < DIM / 16; step++) {
    UNROLL
    for (int n = 0; n < N; n += 2) {
      u32 pair[4];
      load_matrices(pair, b.at(n * 8, step));
      UNROLL
      for (int m = 0; m < M; m++) {
        multiply_add(acc[m][n], a[m][step], pair[0], pair[1]);
        multiply_add(acc[m][n + 1], a[m][step], pair[2], pair[3]);
      }
    }
  }
}

// The same with A in shared memory too.
template <int DIM, int M, int N>
DEVICE void multiply_rows(float (&acc)[M][N][4], const Fragments<DIM>& a, const Fragments<DIM>& b) {
  UNROLL
  for (int step = 0; step < DIM / 16; step++) {
    u32 left[M][4];
    UNROLL
    for (int m = 0; m < M; m++) load_matrices(left[m], a.at(m * 16, step));
    UNROLL
    for (int n = 0; n < N; n += 2) {
      u32 pair[4];
      load_matrices(pair, b.at(n * 8, step));
      UNROLL
      for (int m = 0; m < M; m++) {
        multiply_add(acc[m][n], left[m], pair[0], pair[1]);
        multiply_add(acc[m][n + 1], left[m], pair[2], pair[3]);
      }
    }
  }
}

// acc[row block][column block of 8 of DIM] += X B: X accumulators [row block][column block of 8], rounded to bf16 as they are
// needed, as many columns as B has rows.
template <int DIM, int M, int N>
DEVICE void multiply_columns(float (&acc)[M][DIM / 8][4], const float (&x)[M][N][4], const Fragments<DIM>& b) {
  UNROLL
  for (int k = 0; k < N / 2; k++) {
    u32 left[M][4];
    UNROLL
    for (int m = 0; m < M; m++) {
      UNROLL
      for (int i = 0; i < 4; i++) left[m][i] = pack_bf16(x[m][k * 2 + i / 2][i % 2 * 2], x[m][k * 2 + i / 2][i % 2 * 2 + 1]);
    }
    UNROLL
    for (int n = 0; n < DIM / 8; n += 2) {
      u32 pair[4];
      load_matrices_transposed(pair, b.at(k * 16, n / 2));
      UNROLL
      for (int m = 0; m < M; m++) {
        multiply_add(acc[m][n], left[m], pair[0], pair[1]);
        multiply_add(acc[m][n + 1], left[m], pair[2], pair[3]);
      }
    }
  }
}

template <int DIM, int M>
DEVICE void load_fragments(u32 (&a)[M][DIM / 16][4], const Fragments<DIM>& from) {
  UNROLL
  for (int m = 0; m < M; m++) {
    UNROLL
    for (int step = 0; step < DIM / 16; step++) load_matrices(a[m][step], from.at(m * 16, step));
  }
}

template <int M, int N>
DEVICE void clear(float (&acc)[M][N][4]) {
  UNROLL
  for (int m = 0; m < M; m++) {
    UNROLL
    for (int n = 0; n < N; n++) acc[m][n][0] = acc[m][n][1] = acc[m][n][2] = acc[m][n][3] = 0.0f;
  }
}

// Writes a warp's rows through its own rows of a tile that nobody reads any more: acc[m][..][e] * scale[m][e / 2], and zeros
// where the scale is 0, whatever acc holds. Row r of the warp goes to `to` + r * token when r < valid.
template <int DIM, int M>
DEVICE void store_rows(u32 tile, const float (&acc)[M][DIM / 8][4], const float (&scale)[M][2], bf16* to, i64 token, int valid,
                       int head_dim) {
  const int lane = threadIdx.x % WARP;
  UNROLL
  for (int m = 0; m < M; m++) {
    UNROLL
    for (int n = 0; n < DIM / 8; n++) {
      const u32 at = Tile<DIM>::at(tile, m * 16 + lane / 4, n) + lane % 4 * 4;
      UNROLL
      for (int half = 0; half < 2; half++) {
        const float x = scale[m][half];
        const u32 pair = x == 0.0f ? 0 : pack_bf16(acc[m][n][half * 2] * x, acc[m][n][half * 2 + 1] * x);
        store_shared(at + half * 8 * Tile<DIM>::ROW_BYTES, pair);
      }
    }
  }
  __syncwarp();
  constexpr int LANES = Tile<DIM>::EIGHT ? 8 : 4;
  UNROLL
  for (int r = lane / LANES; r < M * 16; r += WARP / LANES) {
    UNROLL
    for (int c = lane % LANES; c < Tile<DIM>::CHUNKS; c += LANES)
      if (r < valid && c * 8 < head_dim) store_global_16(to + r * token + c * 8, load_shared_16(Tile<DIM>::at(tile, r, c)));
  }
}

// Which of the 32 WORDS keys from `first` on take part: bit j of word j / 32. Every lane of the warp must call.
template <int WORDS>
DEVICE void kept_keys(u32 (&kept)[WORDS], const int* key_mask, int first, int keys) {
  UNROLL
  for (int w = 0; w < WORDS; w++) {
    const int s = first + w * 32 + threadIdx.x % WARP;
    kept[w] = __ballot_sync(ALL_LANES, s < keys && (!key_mask || key_mask[s]));
  }
}
