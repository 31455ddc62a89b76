/** Accuracies of a set of answers, with intervals that know that questions about one video are not independent. */
import { Rng } from '../base/rng.js';
import { TASKS } from '../data/tasks/index.js';
import { CHOICE_TASKS } from '../data/tasks/types.js';
import { type Answer, isRight } from './answers.js';
import { groupBy } from './group-by.js';

export interface Interval {
  /** Point estimate, 0 to 1. */
  readonly accuracy: number;
  /** 95 % interval: bootstrap percentiles over videos. */
  readonly low: number;
  readonly high: number;
}

export interface Accuracy extends Interval {
  readonly right: number;
  readonly asked: number;
}

export interface Scores {
  readonly tasks: Readonly<Record<string, Accuracy>>;
  /** By the paper's three groups of tasks: CIU, CAM, UIU. */
  readonly abilities: Readonly<Record<string, Accuracy>>;
  /** By what a viewer must have seen (spatial, temporal, style), where the questions say so. */
  readonly axes: Readonly<Record<string, Accuracy>>;
  /** Mean of the task accuracies. */
  readonly macro: Interval;
  /** Over all questions. */
  readonly micro: Accuracy;
  readonly videos: number;
  /** Questions without an answer; they count as wrong. */
  readonly failed: number;
}

export interface ScoreOptions {
  readonly seed?: number;
  /** Bootstrap resamples; 2,000 put the ends of a 95 % interval within about 0.1 standard errors. */
  readonly resamples?: number;
}

/** @param answers one a question */
export function scoreAnswers(answers: readonly Answer[], options: ScoreOptions = {}): Scores {
  const { seed = 1, resamples = 2000 } = options;
  const slices = slicesOf(answers);
  const names = [...slices.keys()];
  const taskColumns = names.flatMap((name, column) => (name.startsWith('task:') ? [column] : []));
  const table = countTable(answers, names, slices);
  const totals = sumRows(
    table,
    Array.from(table, (_, video) => video),
    names.length,
  );
  const rng = new Rng(seed, 'bootstrap');
  const draws = Array.from({ length: table.length === 0 ? 0 : resamples }, () => {
    const videos = Array.from(table, () => rng.int(table.length));
    return sumRows(table, videos, names.length);
  });

  const accuracyOf = (column: number): Accuracy => ({
    right: totals.right[column] ?? 0,
    asked: totals.asked[column] ?? 0,
    ...interval(
      ratio(totals, column),
      draws.map((draw) => ratio(draw, column)),
    ),
  });
  const group = (prefix: string) =>
    Object.fromEntries(
      names.flatMap((name, column) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), accuracyOf(column)]] : [],
      ),
    );
  return {
    tasks: group('task:'),
    abilities: group('ability:'),
    axes: group('axis:'),
    macro: interval(
      meanRatio(totals, taskColumns),
      draws.map((draw) => meanRatio(draw, taskColumns)),
    ),
    micro: accuracyOf(names.indexOf('all')),
    videos: table.length,
    failed: answers.filter((answer) => answer.choice === null).length,
  };
}

interface Counts {
  readonly right: Float64Array;
  readonly asked: Float64Array;
}

/** The columns of the table, in the order they are shown. */
function slicesOf(answers: readonly Answer[]): Map<string, (answer: Answer) => boolean> {
  const slices = new Map<string, (answer: Answer) => boolean>();
  const present = new Set(answers.map((answer) => answer.task));
  for (const task of CHOICE_TASKS) if (present.has(task)) slices.set(`task:${task}`, (answer) => answer.task === task);
  for (const ability of new Set(CHOICE_TASKS.filter((task) => present.has(task)).map((task) => TASKS[task].ability))) {
    const tasks: readonly string[] = CHOICE_TASKS.filter((task) => TASKS[task].ability === ability);
    slices.set(`ability:${ability}`, (answer) => tasks.includes(answer.task));
  }
  for (const axis of new Set(answers.flatMap((answer) => answer.axis ?? [])))
    slices.set(`axis:${axis}`, (answer) => answer.axis === axis);
  return slices.set('all', () => true);
}

/** One row a video: right and asked in each slice. */
function countTable(
  answers: readonly Answer[],
  names: readonly string[],
  slices: ReadonlyMap<string, (answer: Answer) => boolean>,
): Counts[] {
  return [...groupBy(answers, (answer) => answer.videoId).values()].map((ofVideo) => {
    const inSlice = (name: string) => ofVideo.filter((answer) => slices.get(name)?.(answer) === true);
    return {
      right: Float64Array.from(names, (name) => inSlice(name).filter(isRight).length),
      asked: Float64Array.from(names, (name) => inSlice(name).length),
    };
  });
}

function sumRows(table: readonly Counts[], videos: readonly number[], columns: number): Counts {
  const sum: Counts = { right: new Float64Array(columns), asked: new Float64Array(columns) };
  for (const video of videos) {
    for (let column = 0; column < columns; column++) {
      sum.right[column] = (sum.right[column] ?? 0) + (table[video]?.right[column] ?? 0);
      sum.asked[column] = (sum.asked[column] ?? 0) + (table[video]?.asked[column] ?? 0);
    }
  }
  return sum;
}

function ratio(counts: Counts, column: number): number {
  return (counts.right[column] ?? 0) / (counts.asked[column] ?? 0);
}

/** Mean over the columns that were asked at all; NaN when none was. */
function meanRatio(counts: Counts, columns: readonly number[]): number {
  const ratios = columns.map((column) => ratio(counts, column)).filter((value) => !Number.isNaN(value));
  return ratios.reduce((sum, value) => sum + value, 0) / ratios.length;
}

function interval(accuracy: number, draws: readonly number[]): Interval {
  const sorted = Float64Array.from(draws.filter((draw) => !Number.isNaN(draw))).sort();
  return { accuracy, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
}

/** Linear between order statistics. */
function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (at - Math.floor(at)) * (above - below);
}
