/** Right answers of a run by video and slice: what every figure of the table is made of. */
import { CHOICE_TASKS } from '../data/tasks/types.js';
import { type AskedQuestion, rightOf } from './result.js';

/** `task:title`, `axis:temporal`, `micro`: columns of a count table. */
export type SliceName = string;

/** The columns that these questions fill, in the order they are shown. */
export function slicesOf(questions: readonly AskedQuestion[]): SliceName[] {
  const tasks = new Set(questions.map(({ task }) => task));
  const axes = new Set(questions.flatMap(({ axis }) => axis ?? []));
  const known = ['spatial', 'temporal', 'style'];
  return [
    ...CHOICE_TASKS.filter((task) => tasks.has(task)).map((task) => `task:${task}`),
    ...known.filter((axis) => axes.has(axis)).map((axis) => `axis:${axis}`),
    'micro',
  ];
}

/** Rows are videos, columns slices, row-major. */
export interface CountTable {
  readonly videos: number;
  readonly counts: Float64Array;
}

/** How many of these questions fall into each slice, video by video; with `isCounted`, only those. */
export function countTable(
  questions: readonly AskedQuestion[],
  slices: readonly SliceName[],
  isCounted: readonly boolean[] = questions.map(() => true),
): CountTable {
  const rows = new Map<string, number>();
  for (const { videoId } of questions) if (!rows.has(videoId)) rows.set(videoId, rows.size);
  const counts = new Float64Array(rows.size * slices.length);
  for (const [i, { videoId, task, axis }] of questions.entries()) {
    if (isCounted[i] !== true) continue;
    const row = (rows.get(videoId) ?? 0) * slices.length;
    for (const [column, slice] of slices.entries()) {
      const isIn = slice === 'micro' || slice === `task:${task}` || (axis !== undefined && slice === `axis:${axis}`);
      if (isIn) counts[row + column] = (counts[row + column] ?? 0) + 1;
    }
  }
  return { videos: rows.size, counts };
}

export const rightTable = (
  questions: readonly AskedQuestion[],
  slices: readonly SliceName[],
  choices: string,
): CountTable => countTable(questions, slices, rightOf(choices, questions));

/** Column sums with each video as often as `weights` says. */
export function weightedSums(table: CountTable, columns: number, weights: ArrayLike<number>): Float64Array {
  const sums = new Float64Array(columns);
  for (let video = 0; video < table.videos; video++) {
    const weight = weights[video] ?? 0;
    if (weight === 0) continue;
    const row = video * columns;
    for (let column = 0; column < columns; column++) {
      sums[column] = (sums[column] ?? 0) + weight * (table.counts[row + column] ?? 0);
    }
  }
  return sums;
}

/** Accuracies by slice, and `macro`, the mean of the tasks', last. */
export function accuracies(right: Float64Array, asked: Float64Array, slices: readonly SliceName[]): Float64Array {
  const values = Float64Array.from([...right, Number.NaN], (count, i) => count / (asked[i] ?? Number.NaN));
  const tasks = values.filter((value, i) => slices[i]?.startsWith('task:') === true && !Number.isNaN(value));
  values[slices.length] = tasks.reduce((sum, value) => sum + value, 0) / tasks.length;
  return values;
}
