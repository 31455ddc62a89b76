// Data that moves unchanged. Elements are cells: 4 bytes of any dtype, or 2 of bf16.
#include "device.h"

// y[row, j] = x[row, j] over rows n0 x .. x n4 of `cols`, with a stride for every dimension on each side: slices,
// broadcasts, permutations (x strided), concatenation and padding (y strided).
STORED_KERNEL(copy_strided)(const cell* x, cell* y, i64 rows, i64 cols, int n1, int n2, int n3, int n4,
  i64 x0, i64 x1, i64 x2, i64 x3, i64 x4, i64 x5, i64 y0, i64 y1, i64 y2, i64 y3, i64 y4, i64 y5) {
  FOR_ROW(r, rows, cols) {
    const cell* px = x + row_offset(r, n1, n2, n3, n4, x0, x1, x2, x3, x4);
    cell* py = y + row_offset(r, n1, n2, n3, n4, y0, y1, y2, y3, y4);
    if (x5 == 1 && y5 == 1) {
      FOR_LANE(j, cols) py[j] = px[j];
    } else if (x5 == 0 && y5 == 1) {
      const cell value = *px;
      FOR_LANE(j, cols) py[j] = value;
    } else {
      FOR_LANE(j, cols) py[j * y5] = px[j * x5];
    }
  }
}

// y[b, j, i] = x[b, i, j] for i < height, j < width, by 16 x 16 tiles: both sides touch whole cache lines.
STORED_KERNEL(transpose_last_two)(const cell* x, cell* y, i64 rows, i64 height, i64 width) {
  const i64 across = (width + 15) / 16, down = (height + 15) / 16;
  FOR_ROW(tile, rows, 256) {
    const i64 b = tile / (across * down), i0 = tile / across % down * 16, j0 = tile % across * 16;
    const i64 ni = height - i0 < 16 ? height - i0 : 16, nj = width - j0 < 16 ? width - j0 : 16;
    const cell* px = x + (b * height + i0) * width + j0;
    cell* py = y + (b * width + j0) * height + i0;
    FOR_LANE(e, 256) {
      const i64 i = e % 16, j = e / 16;
      if (i < ni && j < nj) py[j * height + i] = px[i * width + j];
    }
  }
}

// y[b, o, i] = x[b, o, indices[b, i]]: rows = batch x outer x count, each of `inner` cells; an index outside 0..size-1 gives zeros.
STORED_KERNEL(gather)(const cell* x, const int* indices, cell* y, i64 rows, i64 outer, i64 size, i64 count, i64 inner) {
  FOR_ROW(r, rows, inner) {
    const i64 b = r / (outer * count), o = r / count % outer, i = r % count;
    const i64 index = indices[b * count + i];
    const cell* px = x + ((b * outer + o) * size + index) * inner;
    cell* py = y + r * inner;
    if (index >= 0 && index < size) {
      FOR_LANE(j, inner) py[j] = px[j];
    } else {
      FOR_LANE(j, inner) py[j] = 0;
    }
  }
}

// Deterministic scatter-add. Segment s sums the source rows order[starts[s] .. starts[s + 1]) in that order into row
// targets[s] of y, which the caller has zeroed.
template <class T, class R>
DEVICE void segment_sum_any(const T* x, const int* order, const int* starts, const int* targets, R* y, i64 rows, i64 inner) {
  FOR_ROW(s, rows, inner) {
    R* py = y + targets[s] * inner;
    for (i64 k = starts[s]; k < starts[s + 1]; k++) {
      const T* px = x + order[k] * inner;
      FOR_LANE(j, inner) py[j] += px[j];
    }
  }
}
STORED_KERNEL(segment_sum)(const stored* x, const int* order, const int* starts, const int* targets, float* y, i64 rows, i64 inner) {
  segment_sum_any(x, order, starts, targets, y, rows, inner);
}
KERNEL segment_sum_int(const int* x, const int* order, const int* starts, const int* targets, int* y, i64 rows, i64 inner) {
  segment_sum_any(x, order, starts, targets, y, rows, inner);
}

// y[i] = condition[i / inner] ? a[i] : b[i].
STORED_KERNEL(choose)(const int* condition, const cell* a, const cell* b, cell* y, i64 n, i64 inner) {
  if (inner == 1) {
    FOR_EACH(i, n) y[i] = condition[i] ? a[i] : b[i];
  } else {
    FOR_EACH(i, n) y[i] = condition[i / inner] ? a[i] : b[i];
  }
}

// y[i, d] = indices[i] == d ? on : off; the values are given as bits, so one kernel serves every dtype.
KERNEL one_hot(const int* indices, int* y, i64 rows, i64 depth, int on, int off) {
  FOR_ROW(r, rows, depth) {
    FOR_LANE(d, depth) y[r * depth + d] = d == indices[r] ? on : off;
  }
}
