/**
 * Means over runs and their 95 % intervals.
 *
 * Runs differ by tuning seed and by base; those of one base answer the same questions about the same videos. Two intervals
 * are taken, and what is reported reaches from the lower of their low ends to the higher of their high ends:
 *
 * - t: the mean over runs plus or minus t times its standard error, runs - 1 degrees of freedom. It knows seeds and bases,
 *   and takes runs of one base for independent.
 * - bootstrap: draws bases, within each its seeds, within each its videos with all their questions, with replacement. It
 *   knows that questions about one video, and runs of one base, go together; with few bases or seeds it is too narrow.
 *
 * A difference of two variants is taken run by run, and every draw uses the same bases, seeds and videos for both.
 */
import { Rng } from '../base/rng.js';
import { accuracies, countTable, rightTable, type SliceName, slicesOf, weightedSums } from './counts.js';
import type { AskedQuestion, RunResult } from './result.js';
import type { Variant } from './variants.js';

export interface Estimate {
  /** Mean over runs; a share, or a difference of shares. */
  readonly mean: number;
  /** 95 % interval: both of the below together. */
  readonly low: number;
  readonly high: number;
  /** Absent for a single run. */
  readonly t?: readonly [number, number];
  readonly bootstrap: readonly [number, number];
  /** What each run gave, in the order of `runs`. */
  readonly values: readonly number[];
}

export interface Estimates {
  /** Slices, and `macro`. */
  readonly columns: readonly SliceName[];
  of(variant: Variant, column: SliceName): Estimate | undefined;
  /** `reference` less `variant`, over the runs that both have. */
  difference(reference: Variant, variant: Variant, column: SliceName): Estimate | undefined;
}

export interface EstimateOptions {
  readonly seed?: number;
  readonly resamples?: number;
}

/** @param questions of each base */
export function estimate(
  runs: readonly RunResult[],
  questions: ReadonlyMap<string, readonly AskedQuestion[]>,
  options: EstimateOptions = {},
): Estimates {
  const { seed = 1, resamples = 2000 } = options;
  const slices = slicesOf([...questions.values()].flat());
  const columns = [...slices, 'macro'];
  const bases = basesOf(runs, questions, slices);
  const variants = [...new Set(runs.map(({ variant }) => variant))];
  const rng = new Rng(seed, 'ablation-bootstrap');
  const whole: Draw = bases.flatMap((base) =>
    base.seeds.map((cell) => measured(base, cell, ones(base.videos), slices)),
  );
  const draws: Draw[] = Array.from({ length: resamples }, () =>
    bases.flatMap(() => {
      const base = rng.pick(bases);
      const videos = resampled(base.videos, rng);
      return base.seeds.map(() => measured(base, rng.pick(base.seeds), videos, slices));
    }),
  );

  const known = new Map<string, Estimate | undefined>();
  const estimated = (
    name: string,
    value: (cell: Measured, column: number) => number,
    column: SliceName,
    bounds: readonly [number, number],
  ): Estimate | undefined => {
    const key = `${name} ${column}`;
    if (known.has(key)) return known.get(key);
    const at = columns.indexOf(column);
    const values = at < 0 ? [] : valuesOf(whole, value, at);
    const means = values.length === 0 ? [] : draws.map((draw) => meanOf(valuesOf(draw, value, at)));
    const result = values.length === 0 ? undefined : within(combine(values, means), bounds);
    known.set(key, result);
    return result;
  };
  const cellValue = (variant: Variant) => (cell: Measured, column: number) => cell.get(variant)?.[column] ?? Number.NaN;
  return {
    columns: variants.length === 0 ? [] : columns,
    of: (variant, column) => estimated(variant, cellValue(variant), column, [0, 1]),
    difference(reference, variant, column) {
      const gap = (cell: Measured, at: number) => cellValue(reference)(cell, at) - cellValue(variant)(cell, at);
      return estimated(`${reference} - ${variant}`, gap, column, [-1, 1]);
    },
  };
}

/** Accuracies by column of each variant of one (base, seed). */
type Measured = ReadonlyMap<Variant, Float64Array>;
type Draw = readonly Measured[];

interface BaseRuns {
  readonly videos: number;
  readonly asked: ReturnType<typeof countTable>;
  /** For each tuning seed, right answers by variant. */
  readonly seeds: readonly ReadonlyMap<Variant, ReturnType<typeof countTable>>[];
}

function basesOf(
  runs: readonly RunResult[],
  questions: ReadonlyMap<string, readonly AskedQuestion[]>,
  slices: readonly SliceName[],
): BaseRuns[] {
  return [...questions].flatMap(([base, asked]) => {
    const own = runs.filter((run) => run.base === base);
    const seeds = [...new Set(own.map(({ seed }) => seed))].map((seed) => {
      const ofSeed = own.filter((run) => run.seed === seed);
      return new Map(ofSeed.map(({ variant, choices }) => [variant, rightTable(asked, slices, choices)]));
    });
    const table = countTable(asked, slices);
    return seeds.length === 0 ? [] : [{ videos: table.videos, asked: table, seeds }];
  });
}

function measured(
  { asked }: BaseRuns,
  cell: BaseRuns['seeds'][number],
  weights: ArrayLike<number>,
  slices: readonly SliceName[],
): Measured {
  const total = weightedSums(asked, slices.length, weights);
  return new Map(
    Array.from(cell, ([variant, right]) => [
      variant,
      accuracies(weightedSums(right, slices.length, weights), total, slices),
    ]),
  );
}

const ones = (count: number): Float64Array => new Float64Array(count).fill(1);

/** How often each of `count` videos is drawn. */
function resampled(count: number, rng: Rng): Float64Array {
  const weights = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const video = rng.int(count);
    weights[video] = (weights[video] ?? 0) + 1;
  }
  return weights;
}

function valuesOf(draw: Draw, value: (cell: Measured, column: number) => number, column: number): number[] {
  return draw.map((cell) => value(cell, column)).filter((x) => !Number.isNaN(x));
}

function combine(values: readonly number[], draws: readonly number[]): Estimate {
  const mean = meanOf(values);
  const sorted = Float64Array.from(draws.filter((x) => !Number.isNaN(x))).sort();
  const bootstrap = [quantile(sorted, 0.025), quantile(sorted, 0.975)] as const;
  if (values.length < 2) return { mean, low: bootstrap[0], high: bootstrap[1], bootstrap, values };
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1);
  const half = tQuantile(values.length - 1) * Math.sqrt(variance / values.length);
  const t = [mean - half, mean + half] as const;
  return { mean, low: Math.min(t[0], bootstrap[0]), high: Math.max(t[1], bootstrap[1]), t, bootstrap, values };
}

/** An accuracy cannot leave 0 to 1, where t knows no bounds. */
function within(estimate: Estimate, [least, most]: readonly [number, number]): Estimate {
  return { ...estimate, low: Math.max(estimate.low, least), high: Math.min(estimate.high, most) };
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

/** Linear between order statistics. */
function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  return below + (at - Math.floor(at)) * ((sorted[Math.ceil(at)] ?? Number.NaN) - below);
}

/** 97.5 % quantiles of Student's t for 1 to 10 degrees of freedom. */
const T_TABLE = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

/** 97.5 % quantile of Student's t; beyond the table Cornish and Fisher's expansion, right to 0.001. */
export function tQuantile(degrees: number): number {
  const known = T_TABLE[degrees - 1];
  if (known !== undefined) return known;
  const z = 1.959964;
  const first = (z ** 3 + z) / 4;
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96;
  const third = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384;
  return z + first / degrees + second / degrees ** 2 + third / degrees ** 3;
}
