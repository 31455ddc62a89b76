import { escapeHtml } from './escape-html.js';

export interface Series {
  readonly label: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** Name of a CSS class that colours it. */
  readonly className: string;
}

export interface ChartOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Range of the y axis; default: from 0 to the largest value. */
  readonly yRange?: readonly [number, number];
  /** Dashed horizontal lines with a label, for chance or a gate. */
  readonly guides?: readonly { readonly y: number; readonly label: string }[];
}

const WIDTH = 420;
const HEIGHT = 220;
const MARGIN = { left: 44, right: 12, top: 28, bottom: 34 };

/** A line chart as inline SVG: no script, prints as it shows. */
export function lineChart(series: readonly Series[], options: ChartOptions): string {
  const xMax = Math.max(1, ...series.flatMap(({ points }) => points.map(({ x }) => x)));
  const top = Math.max(1e-9, ...series.flatMap(({ points }) => points.map(({ y }) => y)));
  const [yMin, yMax] = options.yRange ?? [0, niceCeiling(top)];
  const px = (x: number) => MARGIN.left + (x / xMax) * (WIDTH - MARGIN.left - MARGIN.right);
  const py = (y: number) => {
    const share = (Math.min(Math.max(y, yMin), yMax) - yMin) / (yMax - yMin);
    return HEIGHT - MARGIN.bottom - share * (HEIGHT - MARGIN.top - MARGIN.bottom);
  };
  const text = (x: number, y: number, content: string, anchor = 'middle', extra = '') =>
    `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" ${extra}>${escapeHtml(content)}</text>`;

  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const grid = ticks.map((share) => {
    const y = yMin + share * (yMax - yMin);
    const line = `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${py(y)}" y2="${py(y)}"/>`;
    return line + text(MARGIN.left - 6, py(y) + 4, formatTick(y), 'end');
  });
  const xTicks = ticks.map((share) =>
    text(px(share * xMax), HEIGHT - MARGIN.bottom + 15, String(Math.round(share * xMax))),
  );
  const guides = (options.guides ?? []).map(({ y, label }) => {
    const line = `<line class="guide" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${py(y)}" y2="${py(y)}"/>`;
    return line + text(WIDTH - MARGIN.right, py(y) - 4, label, 'end');
  });
  const lines = series.map(({ points, className, label }) => {
    const path = points.map(({ x, y }) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(' ');
    const dots =
      points.length > 40
        ? ''
        : points.map(({ x, y }) => `<circle cx="${px(x).toFixed(1)}" cy="${py(y).toFixed(1)}" r="2.5"/>`).join('');
    return `<g class="series ${className}"><title>${escapeHtml(label)}</title><polyline points="${path}"/>${dots}</g>`;
  });
  const legend =
    series.length < 2
      ? []
      : series.map(({ label, className }, i) => {
          const x = MARGIN.left + 10 + i * 110;
          return `<g class="series ${className}"><line x1="${x}" x2="${x + 16}" y1="${MARGIN.top + 2}" y2="${MARGIN.top + 2}"/></g>${text(x + 20, MARGIN.top + 6, label, 'start')}`;
        });
  return [
    `<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(options.title)}">`,
    text(WIDTH / 2, 15, options.title, 'middle', 'class="title"'),
    ...grid,
    ...xTicks,
    text(WIDTH / 2, HEIGHT - 4, options.xLabel),
    text(-HEIGHT / 2, 11, options.yLabel, 'middle', 'transform="rotate(-90)"'),
    ...guides,
    ...lines,
    ...legend,
    '</svg>',
  ].join('');
}

function niceCeiling(value: number): number {
  const step = 10 ** Math.floor(Math.log10(value));
  return Math.ceil((value * 1.0001) / step) * step;
}

function formatTick(value: number): string {
  return Math.abs(value) >= 10 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(2);
}
