// Caches of keys and values [B, capacity, width] that grow in place.
#include "device.h"

// Writes x [B, time, width] at `position`, which is *at where a device address is given: recorded work reads it anew. Tokens
// that would lie behind the capacity are dropped. A row is one token.
STORED_KERNEL(kv_append)(const cell* x, cell* cache, const int* at, i64 rows, i64 time, i64 capacity, i64 width, i64 position) {
  FOR_ROW(r, rows, width) {
    const i64 token = (at ? *at : position) + r % time;
    cell* py = cache + (r / time * capacity + token) * width;
    if (token < capacity) FOR_LANE(i, width) py[i] = x[r * width + i];
  }
}

// The first `length` tokens of each item, from one capacity to another, zeros behind them: what no query sees must still be a
// number where tiles are multiplied whole. A row is one token of y.
STORED_KERNEL(kv_grow)(const cell* x, cell* y, i64 rows, i64 length, i64 from, i64 to, i64 width) {
  FOR_ROW(r, rows, width) {
    const i64 token = r % to;
    const cell* px = x + (r / to * from + token) * width;
    if (token < length) {
      FOR_LANE(i, width) y[r * width + i] = px[i];
    } else {
      FOR_LANE(i, width) y[r * width + i] = 0;
    }
  }
}
