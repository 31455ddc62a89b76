// Rotary position embedding (Su et al. 2021), rotate-half convention: channel j pairs with j + D/2.
#include "device.h"

// x, y: [tokens, heads, 2 * half]; positions: [tokens]; cosines, sines: [capacity, half], made on the host in float64.
// direction 1 rotates, -1 rotates back (the gradient). A row is one token.
STORED_KERNEL(rope)(const stored* x, const int* positions, const float* cosines, const float* sines, stored* y,
  i64 rows, i64 heads, i64 half, float direction) {
  FOR_ROW(r, rows, 2 * heads * half) {
    const float* c = cosines + positions[r] * half;
    const float* s = sines + positions[r] * half;
    for (i64 h = 0; h < heads; h++) {
      const stored* px = x + (r * heads + h) * 2 * half;
      stored* py = y + (r * heads + h) * 2 * half;
      FOR_LANE(j, half) {
        const float first = px[j], second = px[j + half], sine = s[j] * direction;
        py[j] = first * c[j] - second * sine;
        py[j + half] = second * c[j] + first * sine;
      }
    }
  }
}

// The fused projection of queries, keys and values, x: [tokens, groups, per_group + 2, 2 * half] with each group's query
// heads before its key and its value head, parted into q: [tokens, groups * per_group, 2 * half], rotated, k and
// v: [tokens, groups, 2 * half], of which k is rotated. A row is one group of a token: a division a head would cost the
// host more than a narrow head's rotation.
STORED_KERNEL(split_rope)(const stored* x, const int* positions, const float* cosines, const float* sines, stored* q, stored* k, stored* v,
  i64 rows, i64 groups, i64 per_group, i64 half) {
  FOR_ROW(r, rows, 2 * (per_group + 2) * half) {
    const i64 width = 2 * half, position = positions[r / groups];
    const float* c = cosines + position * half;
    const float* s = sines + position * half;
    const stored* px = x + r * (per_group + 2) * width;
    for (i64 h = 0; h <= per_group; h++, px += width) {
      stored* py = h == per_group ? k + r * width : q + (r * per_group + h) * width;
      FOR_LANE(j, half) {
        const float first = px[j], second = px[j + half];
        py[j] = first * c[j] - second * s[j];
        py[j + half] = second * c[j] + first * s[j];
      }
    }
    FOR_LANE(j, width) v[r * width + j] = px[j];
  }
}

// Its gradient: the way back, with every rotation inverted.
STORED_KERNEL(split_rope_grad)(const stored* dq, const stored* dk, const stored* dv, const int* positions, const float* cosines,
  const float* sines, stored* dx, i64 rows, i64 groups, i64 per_group, i64 half) {
  FOR_ROW(r, rows, 2 * (per_group + 2) * half) {
    const i64 width = 2 * half, position = positions[r / groups];
    const float* c = cosines + position * half;
    const float* s = sines + position * half;
    stored* px = dx + r * (per_group + 2) * width;
    for (i64 h = 0; h <= per_group; h++, px += width) {
      const stored* py = h == per_group ? dk + r * width : dq + (r * per_group + h) * width;
      FOR_LANE(j, half) {
        const float first = py[j], second = py[j + half];
        px[j] = first * c[j] + second * s[j];
        px[j + half] = second * c[j] - first * s[j];
      }
    }
    FOR_LANE(j, width) px[j] = dv[r * width + j];
  }
}
