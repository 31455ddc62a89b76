/** Adaptive average pooling over time, height and width, and its gradient. */
import { givenStored, type KernelCall, normals, result, resultStored } from '../kernel-call.js';
import { at } from './math.js';
import type { Shapes } from './shapes.js';

const BATCH = 2;
type Grid = readonly [t: number, h: number, w: number];

/** Bin o of n cells in m bins. */
const bin = (o: number, n: number, m: number): [number, number] => [
  Math.floor((o * n) / m),
  Math.ceil(((o + 1) * n) / m),
];

/** Calls visit(x cell, y cell, cells of the bin) for every cell of every bin of an item. */
function eachPair(from: Grid, to: Grid, visit: (cell: number, pooled: number, size: number) => void): void {
  const [t0, h0, w0] = from;
  const [t1, h1, w1] = to;
  for (let pooled = 0; pooled < t1 * h1 * w1; pooled++) {
    const [tb, te] = bin(Math.floor(pooled / (h1 * w1)), t0, t1);
    const [hb, he] = bin(Math.floor(pooled / w1) % h1, h0, h1);
    const [wb, we] = bin(pooled % w1, w0, w1);
    const size = (te - tb) * (he - hb) * (we - wb);
    for (let t = tb; t < te; t++)
      for (let h = hb; h < he; h++) for (let w = wb; w < we; w++) visit((t * h0 + h) * w0 + w, pooled, size);
  }
}

function callsOf(from: Grid, to: Grid, cols: number): KernelCall[] {
  const shape = `${from.join(' x ')} to ${to.join(' x ')} of ${cols}`;
  const [cells, pooled] = [from, to].map(([t, h, w]) => t * h * w) as [number, number];
  const spread = (length: number, source: ArrayLike<number>, forward: boolean) => {
    const y = new Float64Array(length);
    for (let b = 0; b < BATCH; b++) {
      eachPair(from, to, (cell, target, size) => {
        const [into, out] = forward ? [b * pooled + target, b * cells + cell] : [b * cells + cell, b * pooled + target];
        for (let c = 0; c < cols; c++)
          y[into * cols + c] = (y[into * cols + c] ?? 0) + at(source, out * cols + c) / size;
      });
    }
    return y;
  };
  const [large, small] = [BATCH * cells * cols, BATCH * pooled * cols];
  return [
    {
      kernel: 'adaptive_pool',
      shape,
      args: [givenStored(normals(large)), result(small), BATCH * pooled, ...from, ...to, cols],
      expected: (x) => [spread(small, x, true)],
    },
    {
      kernel: 'adaptive_pool_grad',
      shape,
      args: [givenStored(normals(small)), resultStored(large), BATCH * cells, ...from, ...to, cols],
      expected: (dy) => [spread(large, dy, false)],
    },
  ];
}

export function poolCalls({ rows }: Shapes): KernelCall[] {
  return rows
    .filter(([, cols]) => cols <= 2000)
    .flatMap(([, cols]) => [...callsOf([4, 6, 6], [2, 3, 3], cols), ...callsOf([5, 4, 7], [3, 4, 2], cols)]);
}
