import { escapeHtml } from '../../base/html/escape-html.js';
import type { Estimate } from '../estimate.js';

export interface IntervalRow {
  readonly label: string;
  readonly estimate: Estimate;
}

const WIDTH = 640;
const ROW = 26;
const MARGIN = { left: 200, right: 132, top: 26, bottom: 26 };

/** One line a row: every run a dot, the mean a bar, the 95 % interval a line. Inline SVG, shares from 0 to 1. */
export function intervalChart(
  title: string,
  rows: readonly IntervalRow[],
  guide: { at: number; label: string },
): string {
  const height = MARGIN.top + rows.length * ROW + MARGIN.bottom;
  const px = (share: number) =>
    (MARGIN.left + Math.min(Math.max(share, 0), 1) * (WIDTH - MARGIN.left - MARGIN.right)).toFixed(1);
  const text = (x: number | string, y: number, content: string, anchor = 'middle', extra = '') =>
    `<text x="${x}" y="${y}" text-anchor="${anchor}" ${extra}>${escapeHtml(content)}</text>`;
  const bottom = height - MARGIN.bottom;
  const grid = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<line class="grid" x1="${px(share)}" x2="${px(share)}" y1="${MARGIN.top}" y2="${bottom}"/>${text(px(share), bottom + 16, String(100 * share))}`,
  );
  const marks = rows.map(({ label, estimate: { mean, low, high, values } }, i) => {
    const y = MARGIN.top + (i + 0.5) * ROW;
    const dots = values.map((value) => `<circle class="run" cx="${px(value)}" cy="${y}" r="3"/>`).join('');
    const figures = `${(100 * mean).toFixed(1)} (${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)})`;
    return [
      text(MARGIN.left - 10, y + 4, label, 'end', 'class="row"'),
      dots,
      `<line class="interval" x1="${px(low)}" x2="${px(high)}" y1="${y}" y2="${y}"/>`,
      `<line class="mean" x1="${px(mean)}" x2="${px(mean)}" y1="${y - 7}" y2="${y + 7}"/>`,
      text(WIDTH - MARGIN.right + 8, y + 4, figures, 'start'),
    ].join('');
  });
  const line = `<line class="guide" x1="${px(guide.at)}" x2="${px(guide.at)}" y1="${MARGIN.top - 4}" y2="${bottom}"/>`;
  return [
    `<svg class="chart intervals" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(title)}">`,
    text(0, 15, title, 'start', 'class="title"'),
    ...grid,
    line,
    text(px(guide.at), MARGIN.top - 8, guide.label),
    ...marks,
    '</svg>',
  ].join('');
}
