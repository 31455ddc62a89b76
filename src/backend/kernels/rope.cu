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
