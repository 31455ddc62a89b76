import { escapeHtml } from './escape-html.js';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Series {
  readonly label: string;
  /** Points that are not finite leave a gap. */
  readonly points: readonly Point[];
  /** Names of CSS classes that colour it. */
  readonly className: string;
}

export interface ChartOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Range of the y axis; default: from 0 to the largest value. What lies outside is drawn on the edge. */
  readonly yRange?: readonly [number, number];
  /** Dashed horizontal lines with a label, for chance or a gate. */
  readonly guides?: readonly { readonly y: number; readonly label: string }[];
}

const WIDTH = 420;
const PLOT_HEIGHT = 220;
const MARGIN = { left: 56, right: 12, top: 28, bottom: 34 };
const LEGEND_ROW = 16;
/** Of the chart's font, pixels; a little too wide rather than too narrow. */
const CHARACTER_WIDTH = 6.2;
const DOTS_UP_TO = 40;

/** A line chart as inline SVG: no script, prints as it shows. Several series get a legend below. */
export function lineChart(series: readonly Series[], options: ChartOptions): string {
  const xMax = Math.max(1, ...series.flatMap(({ points }) => points.map(({ x }) => x)));
  const [yMin, yMax] = options.yRange ?? [0, niceCeiling(Math.max(1e-9, ...finiteValues(series)))];
  const px = (x: number) => MARGIN.left + (x / xMax) * (WIDTH - MARGIN.left - MARGIN.right);
  const py = (y: number) => {
    const share = (Math.min(Math.max(y, yMin), yMax) - yMin) / (yMax - yMin);
    return PLOT_HEIGHT - MARGIN.bottom - share * (PLOT_HEIGHT - MARGIN.top - MARGIN.bottom);
  };

  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const format = tickFormat(ticks.map((share) => yMin + share * (yMax - yMin)));
  const grid = ticks.map((share) => {
    const y = yMin + share * (yMax - yMin);
    const line = `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${py(y)}" y2="${py(y)}"/>`;
    return line + text(MARGIN.left - 6, py(y) + 4, format(y), 'end');
  });
  // Few steps have fewer whole numbers than there are ticks.
  const xTicks = [...new Set(ticks.map((share) => Math.round(share * xMax)))].map((x) =>
    text(px(x), PLOT_HEIGHT - MARGIN.bottom + 15, compactCount(x)),
  );
  const guides = (options.guides ?? []).map(
    ({ y }) => `<line class="guide" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${py(y)}" y2="${py(y)}"/>`,
  );
  const guideLabels = (options.guides ?? []).map(({ y, label }) =>
    text(WIDTH - MARGIN.right, py(y) - 4, label, 'end', 'class="over"'),
  );
  const lines = series.map(({ points, className, label }) => {
    const place = ({ x, y }: Point) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`;
    const pieces = withoutGaps(points).map((piece) => `<polyline points="${piece.map(place).join(' ')}"/>`);
    const dots = points.length > DOTS_UP_TO ? [] : points.filter(({ y }) => Number.isFinite(y));
    const circles = dots.map(({ x, y }) => `<circle cx="${px(x).toFixed(1)}" cy="${py(y).toFixed(1)}" r="2.5"/>`);
    const shapes = [...pieces, ...circles].join('');
    return `<g class="series ${className}"><title>${escapeHtml(label)}</title>${shapes}</g>`;
  });
  const legend = series.length < 2 ? { rows: 0, svg: '' } : legendOf(series);
  return [
    `<svg class="chart" viewBox="0 0 ${WIDTH} ${PLOT_HEIGHT + legend.rows * LEGEND_ROW}" role="img" aria-label="${escapeHtml(options.title)}">`,
    text(WIDTH / 2, 15, options.title, 'middle', 'class="title"'),
    ...grid,
    ...xTicks,
    text(WIDTH / 2, PLOT_HEIGHT - 4, options.xLabel),
    text(-PLOT_HEIGHT / 2, 9, options.yLabel, 'middle', 'transform="rotate(-90)"'),
    ...guides,
    ...lines,
    ...guideLabels,
    legend.svg,
    '</svg>',
  ].join('');
}

/** A y axis that shows a curve's whole course, though it be far from 0. */
export function rangeOf(series: readonly Series[]): [number, number] {
  const values = finiteValues(series);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (values.length === 0 || high <= 0) return [0, 1];
  // From 0 where that costs little of the height.
  if (low >= 0 && low < 0.5 * high) return [0, niceCeiling(high)];
  const step = 10 ** Math.floor(Math.log10(Math.max(high - low, high * 1e-3)));
  // 2.13 / 0.01 is 212.99999999999997.
  return [Math.floor(low / step + 1e-6) * step, Math.ceil((high * 1.0001) / step) * step];
}

function legendOf(series: readonly Series[]): { rows: number; svg: string } {
  let x = MARGIN.left;
  let row = 1;
  const entries = series.map(({ label, className }) => {
    const width = 34 + label.length * CHARACTER_WIDTH;
    if (x > MARGIN.left && x + width > WIDTH) [x, row] = [MARGIN.left, row + 1];
    const y = PLOT_HEIGHT + (row - 1) * LEGEND_ROW + 8;
    const key = `<g class="series ${className}"><line x1="${x}" x2="${x + 14}" y1="${y}" y2="${y}"/></g>`;
    const entry = key + text(x + 18, y + 4, label, 'start');
    x += width;
    return entry;
  });
  return { rows: row, svg: entries.join('') };
}

function text(x: number, y: number, content: string, anchor = 'middle', extra = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" ${extra}>${escapeHtml(content)}</text>`;
}

function finiteValues(series: readonly Series[]): number[] {
  return series.flatMap(({ points }) => points.map(({ y }) => y)).filter(Number.isFinite);
}

function withoutGaps(points: readonly Point[]): Point[][] {
  const pieces: Point[][] = [[]];
  for (const point of points) {
    if (Number.isFinite(point.y)) pieces.at(-1)?.push(point);
    else pieces.push([]);
  }
  return pieces.filter((piece) => piece.length > 0);
}

/** Of these a quarter has few digits. */
const NICE = [1, 2, 3, 4, 6, 8, 10];

function niceCeiling(value: number): number {
  const step = 10 ** Math.floor(Math.log10(value));
  return (NICE.find((nice) => nice * step >= value * 1.0001) ?? 10) * step;
}

/** Decimals that tell the ticks apart, the same for all of them. */
function tickFormat(values: readonly number[]): (value: number) => string {
  const largest = Math.max(...values.map(Math.abs));
  if (largest < 0.04) return (value) => (value === 0 ? '0' : value.toExponential(2).replace(/\.?0+e/, 'e'));
  if (largest >= 10_000) return compactCount;
  const digits =
    [0, 1, 2, 3, 4, 5].find((digits) =>
      values.every((value) => Math.abs(value - Number(value.toFixed(digits))) < 1e-6 * largest),
    ) ?? 6;
  return (value) => (value === 0 ? '0' : value.toFixed(digits));
}

/** 12500 -> 12.5k */
function compactCount(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toFixed(2))}M`;
  return size >= 10_000 ? `${Number((value / 1e3).toFixed(2))}k` : String(Math.round(value));
}
