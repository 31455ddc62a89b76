/** The curves of a run: in report.html, and as files of their own in plots/. */
import { type ChartOptions, lineChart, type Point, rangeOf, type Series } from '../../base/html/line-chart.js';
import { CHART_STYLE, CHART_VARIABLES } from '../../base/html/style.js';
import { CHOICE_TASKS } from '../../data/tasks/types.js';
import { MovingMean } from './curve.js';
import { type RunHistory, STEP_COLUMNS } from './run-history.js';

export interface Plot {
  /** Of its file, without extension. */
  readonly name: string;
  /** Inline SVG; its colours are the page's. */
  readonly svg: string;
}

/** Steps that the mean line of the loss is over, at least; more in long runs. */
const MEAN_OVER_STEPS = 25;
const CHANCE = 0.25;

export function plotsOf(history: RunHistory): Plot[] {
  const loss = column(history, 'loss');
  const validationLoss = history.validations.map(({ step, loss: y }) => ({ x: step, y }));
  const losses = [
    { label: 'a step', points: loss, className: 's0 faint' },
    { label: 'mean', points: smoothed(history, loss), className: 's0' },
    ...(validationLoss.length === 0 ? [] : [{ label: 'validation', points: validationLoss, className: 's1' }]),
  ];
  const accuracies = [...accuracySeries(history)];
  const wait = column(history, 'waitShare').map(({ x, y }) => ({ x, y: 100 * y }));
  const norm = column(history, 'gradNorm');
  return [
    plot('loss', losses, { title: 'Loss', yLabel: 'loss', yRange: rangeOf(losses) }),
    ...(accuracies.length === 0
      ? []
      : [
          plot('validation-accuracy', accuracies, {
            ...{ title: 'Validation accuracy by task', yLabel: 'accuracy', yRange: [0, 1] },
            guides: [{ y: CHANCE, label: 'chance' }],
          }),
        ]),
    single('learning-rate', column(history, 'learningRate'), { title: 'Learning rate', yLabel: 'learning rate' }),
    single('gradient-norm', norm, { title: 'Gradient norm', yLabel: 'norm', yRange: [0, withoutSpikes(norm)] }),
    single('tokens-per-second', column(history, 'tokensPerSec'), { title: 'Tokens a second', yLabel: 'tok/s' }),
    single('data-wait', wait, {
      ...{ title: 'Waiting for data, % of the step', yLabel: '%' },
      yRange: [0, [10, 50].find((top) => wait.every(({ y }) => !(y > top))) ?? 100],
    }),
  ];
}

/** A picture of its own: light or dark as the viewer is. */
export function standaloneSvg({ svg }: Plot): string {
  const style = `<style>:root { ${CHART_VARIABLES.light} } @media (prefers-color-scheme: dark) { :root { ${CHART_VARIABLES.dark} } } svg { background: var(--paper); } ${CHART_STYLE} ${MEAN_STYLE}</style>`;
  return svg
    .replace('<svg class="chart"', '<svg xmlns="http://www.w3.org/2000/svg" class="chart" width="840"')
    .replace('>', `>${style}`);
}

/** The mean of the tasks stands out among them. */
export const MEAN_STYLE =
  '.chart .mean polyline { stroke: var(--ink); stroke-width: 2.6; } .chart .mean line { stroke: var(--ink); } .chart .mean circle { fill: var(--ink); }';

function* accuracySeries({ validations }: RunHistory): Generator<Series> {
  if (validations.length === 0) return;
  for (const [i, task] of CHOICE_TASKS.entries()) {
    const points = validations.flatMap(({ step, byTask }) => {
      const y = byTask[task];
      return y === undefined ? [] : [{ x: step, y }];
    });
    if (points.length > 0) yield { label: task, points, className: `s${i}` };
  }
  const points = validations.map(({ step, accuracy }) => ({ x: step, y: accuracy }));
  yield { label: 'mean of tasks', points, className: 'mean' };
}

function plot(name: string, series: readonly Series[], options: Omit<ChartOptions, 'xLabel'>): Plot {
  return { name, svg: lineChart(series, { xLabel: 'step', ...options }) };
}

function single(name: string, points: readonly Point[], options: Omit<ChartOptions, 'xLabel'>): Plot {
  return plot(name, [{ label: options.title, points, className: 's0' }], options);
}

function column(history: RunHistory, name: keyof typeof STEP_COLUMNS): Point[] {
  return history.steps.list().map(({ step, values }) => ({ x: step, y: values[STEP_COLUMNS[name]] ?? Number.NaN }));
}

function smoothed(history: RunHistory, points: readonly Point[]): Point[] {
  const mean = new MovingMean(Math.max(MEAN_OVER_STEPS, history.lastStep / 40));
  const { steps } = history;
  return steps.list().map((point, i) => ({ x: point.step, y: mean.add(points[i]?.y ?? Number.NaN, point.steps) }));
}

/** Top of an axis that a few outliers must not flatten; they are drawn on the edge. */
function withoutSpikes(points: readonly Point[]): number {
  const sorted = points
    .map(({ y }) => y)
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const common = sorted[Math.floor(0.98 * (sorted.length - 1))] ?? 1;
  const ends = [0, Math.min(sorted.at(-1) ?? 1, 2 * common)].map((y) => ({ x: 0, y }));
  const [, top] = rangeOf([{ label: '', className: '', points: ends }]);
  return top;
}
