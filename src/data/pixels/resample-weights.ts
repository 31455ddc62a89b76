/** Interpolation kernels by their names in the configuration; `area` is Pillow's BOX. */
export const FILTERS = ['bicubic', 'area', 'bilinear'] as const;
export type Filter = (typeof FILTERS)[number];

/** How each sample of one axis is made: sample i = sum over k of weights[starts[i] + k] * input[firsts[i] + k]. */
export interface AxisWeights {
  /** First input sample of each output sample; non-decreasing. */
  readonly firsts: Int32Array;
  /** Where the weights of each output sample start; one more entry closes the last. */
  readonly starts: Int32Array;
  /** Fixed point with {@link WEIGHT_BITS} fractional bits. */
  readonly weights: Int32Array;
}

/** Output samples `first` to `first + count - 1` of an axis resized from `inSize` to `outSize`. */
export interface AxisRange {
  readonly inSize: number;
  readonly outSize: number;
  readonly first: number;
  readonly count: number;
}

export const WEIGHT_BITS = 22;

/** Keys' cubic with a = -0.5. */
function cubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
}

const KERNELS: Readonly<Record<Filter, { support: number; at(x: number): number }>> = {
  bicubic: { support: 2, at: cubic },
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  area: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
};

/** Larger tables are made anew each time. */
const MAX_CACHED_WEIGHTS = 2 ** 16;
const MAX_CACHED_TABLES = 64;
const cache = new Map<string, AxisWeights>();

/**
 * Weights of Pillow's antialiased resize: the kernel widens by the scale when it shrinks, its weights are normalised in
 * double precision and then rounded, half away from zero, to integers.
 */
export function axisWeights(filter: Filter, range: AxisRange): AxisWeights {
  const key = `${filter} ${range.inSize} ${range.outSize} ${range.first} ${range.count}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  const made = computeWeights(filter, range);
  if (made.weights.length <= MAX_CACHED_WEIGHTS) {
    if (cache.size >= MAX_CACHED_TABLES) cache.clear();
    cache.set(key, made);
  }
  return made;
}

function computeWeights(filter: Filter, { inSize, outSize, first, count }: AxisRange): AxisWeights {
  const kernel = KERNELS[filter];
  const scale = inSize / outSize;
  const stretch = Math.max(scale, 1);
  const support = kernel.support * stretch;
  // A product with the reciprocal, as in Pillow: a quotient can round another way.
  const shrink = 1 / stretch;
  const firsts = new Int32Array(count);
  const starts = new Int32Array(count + 1);
  const most = Math.ceil(support) * 2 + 1;
  const real = new Float64Array(most);
  let weights = new Int32Array(Math.min(count * most, 2 ** 12));
  let used = 0;
  for (let i = 0; i < count; i++) {
    const centre = (first + i + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - support + 0.5));
    const taps = Math.min(inSize, Math.trunc(centre + support + 0.5)) - low;
    let sum = 0;
    for (let k = 0; k < taps; k++) {
      const value = kernel.at((low + k - centre + 0.5) * shrink);
      real[k] = value;
      sum += value;
    }
    if (used + taps > weights.length) {
      const grown = new Int32Array(Math.max(2 * weights.length, used + taps));
      grown.set(weights);
      weights = grown;
    }
    for (let k = 0; k < taps; k++) {
      const value = real[k] as number;
      weights[used + k] = fixedPoint(sum === 0 ? value : value / sum);
    }
    firsts[i] = low;
    starts[i] = used;
    used += taps;
  }
  starts[count] = used;
  return { firsts, starts, weights: weights.slice(0, used) };
}

function fixedPoint(weight: number): number {
  return Math.trunc(weight * 2 ** WEIGHT_BITS + (weight < 0 ? -0.5 : 0.5));
}
