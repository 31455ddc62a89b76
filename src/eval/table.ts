import { formatTable } from '../infer/format-table.js';
import type { Comparison } from './compare.js';
import type { Accuracy, Interval, Scores } from './score.js';

/** One run: every slice with its interval and counts, baselines as further columns. */
export function scoreTable(scores: Scores, baselines: Readonly<Record<string, Scores>> = {}): string {
  const names = Object.keys(baselines);
  const row = (label: string, of: (scores: Scores) => Accuracy | Interval | undefined): string[] => {
    const value = of(scores);
    const counts = value !== undefined && 'asked' in value ? `${value.right}/${value.asked}` : '';
    const others = names.map((name) =>
      percent(baselines[name] === undefined ? undefined : of(baselines[name])?.accuracy),
    );
    return [label, percent(value?.accuracy), intervalText(value), counts, ...others];
  };
  const slices = (['tasks', 'abilities', 'axes'] as const).flatMap((kind) =>
    Object.keys(scores[kind]).map((name) => row(name, (of) => of[kind][name])),
  );
  const rows = [
    ...slices,
    row('macro (mean of tasks)', (of) => of.macro),
    row('micro (all questions)', (of) => of.micro),
  ];
  const notes = [`${scores.videos} videos; 95 % intervals by bootstrap over videos`];
  if (scores.failed > 0) notes.push(`${scores.failed} questions failed and count as wrong`);
  return `${formatTable(['', 'accuracy', '95 %', 'right', ...names], rows)}\n${notes.join('\n')}`;
}

/** One sentence or two on a paired comparison; `other` names the first run. */
export function comparisonText(comparison: Comparison, other: string): string {
  const { accuracyA, accuracyB, difference, pValue, exact, permutations, questions, videos } = comparison;
  const sign = difference > 0 ? '+' : '';
  const test = `${exact ? 'exact' : 'random'} sign-flip test over ${videos} videos, ${permutations} patterns`;
  return (
    `against ${other}: ${percent(accuracyB)} and ${percent(accuracyA)}, difference ${sign}${percent(difference)} points ` +
    `on ${questions} questions, p = ${pValue < 0.001 ? pValue.toExponential(1) : pValue.toFixed(3)} (${test})`
  );
}

export function percent(share: number | undefined): string {
  return share === undefined || Number.isNaN(share) ? '-' : (100 * share).toFixed(1);
}

function intervalText(interval: Interval | undefined): string {
  return interval === undefined ? '' : `${percent(interval.low)} - ${percent(interval.high)}`;
}
