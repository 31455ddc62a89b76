/** ablation.html: one file, no script, nothing fetched. */
import { escapeHtml } from '../../base/html/escape-html.js';
import { STYLE } from '../../base/html/style.js';
import type { Estimate, Estimates } from '../estimate.js';
import { CHANCE, MIN_RUNS, type PairFindings } from '../findings.js';
import { PAPER_SOURCE } from '../paper-table3.js';
import { VARIANT_INFO } from '../variants.js';
import type { Ablation } from './ablation.js';
import { intervalChart } from './interval-chart.js';
import { provenanceText } from './table-text.js';
import { HOW_MEASURED, PAPER_NOTE, percent, signed, type Table3 } from './table3.js';

const OWN_STYLE = `
main { max-width: 1120px; }
.scroll { overflow-x: auto; } .scroll table { font-size: 14px; white-space: nowrap; }
.scroll th, .scroll td { padding: 5px 5px; } .scroll tbody th { white-space: normal; min-width: 120px; }
td .range { display: block; color: var(--muted); font-size: 12px; font-weight: 400; }
tr.paper th, tr.paper td { color: var(--muted); font-style: italic; }
tr.first-paper th, tr.first-paper td { border-top: 2px solid var(--line); }
td.sure { font-weight: 650; }
.chart .interval { stroke: var(--accent); stroke-width: 3; } .chart .mean { stroke: var(--ink); stroke-width: 2; }
.chart .run { fill: var(--good); opacity: .55; } .chart .row { fill: var(--ink); }
.charts.axes { grid-template-columns: 1fr; } .chart.intervals { max-width: 820px; }
.finding { border-left: 3px solid var(--accent); padding: 2px 14px; margin: 14px 0; }
.finding h3 { margin: 0; font-size: 16px; } .finding ul { margin: 4px 0; padding-left: 20px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; font-size: 15px; } dd { margin: 0; }
.warn { border: 1px solid #c98a00; border-radius: 8px; padding: 8px 12px; }
@media (max-width: 640px) { dl { grid-template-columns: 1fr; } dd { margin-bottom: 8px; } }
@media print { .scroll { overflow: visible; } .scroll table { font-size: 9px; } }
`;

export function ablationPage(
  table: Table3,
  findings: readonly PairFindings[],
  ablation: Ablation,
  estimates: Estimates,
): string {
  const { bases, seeds, runs, quick, interrupted, failures } = ablation;
  const [provenance = '', origin = '', ...notes] = provenanceText(ablation).split('\n');
  const questions = bases.reduce((sum, base) => sum + base.questions.length, 0);
  const body = [
    '<h1>What each part of MIMIC-Chat is worth</h1>',
    `<p class="lead">${runs.length} trained models, ${table.rows.length} variants from ${count(bases.length, 'base')} with ${count(seeds.length, 'seed')} each, asked ${questions.toLocaleString('en')} questions about videos that nothing was trained on or chosen by.</p>`,
    ...(quick || interrupted || failures.length > 0 || notes.length > 0
      ? [`<p class="warn">${notes.map(escapeHtml).join('<br>')}</p>`]
      : []),
    '<h2>Findings</h2>',
    '<p class="note">A sentence stands here only where its 95 % interval supports it.</p>',
    findingsHtml(findings),
    '<h2>What a viewer must have seen</h2>',
    '<p class="note">Spatial facts stand in any frame, temporal ones only in the full sequence, style lives in the language. Each dot is a run, the bar the mean, the line the 95 % interval.</p>',
    `<div class="charts axes">${chartsOf(estimates, table)}</div>`,
    '<h2>Table 3</h2>',
    tableHtml(table),
    `<p class="note">Accuracy, %, with 95 % intervals. Rows in italics: ${escapeHtml(PAPER_SOURCE)}. ${escapeHtml(PAPER_NOTE)}</p>`,
    '<h2>Paired differences</h2>',
    differencesHtml(table),
    '<p class="note">Points, the first minus the second, run by run on the same questions. Bold: the interval leaves out zero.</p>',
    '<h2>The variants</h2>',
    `<dl>${table.rows.map(({ variant, label, runs: own }) => `<dt><b>${escapeHtml(label)}</b></dt><dd>${escapeHtml(VARIANT_INFO[variant].what)} <span class="note">(${count(own, 'run')})</span></dd>`).join('')}</dl>`,
    '<h2>Base by base</h2>',
    basesHtml(ablation, estimates, table),
    '<h2>How it was measured</h2>',
    `<p>${escapeHtml(HOW_MEASURED)}</p><p class="note">${escapeHtml(provenance)}<br>${escapeHtml(origin)}</p>`,
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>MIMIC-Chat ablations</title><style>${STYLE}${OWN_STYLE}</style></head>
<body><main>${body.join('\n')}</main></body></html>
`;
}

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

function findingsHtml(findings: readonly PairFindings[]): string {
  const supported = findings.filter((pair) => pair.findings.length > 0);
  const open = findings.flatMap((pair) => pair.open);
  const items = (texts: readonly { readonly text: string }[]) =>
    `<ul>${texts.map(({ text }) => `<li>${escapeHtml(text).replaceAll(' %', '&nbsp;%')}</li>`).join('')}</ul>`;
  const blocks = supported.map(
    ({ title, note, findings: own, paper }) =>
      `<div class="finding"><h3>${escapeHtml(title)}</h3>${note === undefined ? '' : `<div class="note">${escapeHtml(note)}</div>`}${items(own)}${paper === undefined ? '' : `<div class="note">${escapeHtml(paper)}</div>`}</div>`,
  );
  const none = `<p>None: a finding needs at least ${MIN_RUNS} runs and an interval that supports it.</p>`;
  const asked =
    open.length === 0
      ? ''
      : `<details><summary>Asked, without a finding (${open.length})</summary>${items(open)}</details>`;
  return (blocks.length === 0 ? none : blocks.join('')) + asked;
}

function chartsOf(estimates: Estimates, table: Table3): string {
  const keys = table.columns.filter(({ key }) => key.startsWith('axis:') || key === 'macro');
  return keys
    .map(({ key, label }) => {
      const rows = table.rows.flatMap((row) => {
        const estimate = estimates.of(row.variant, key);
        return estimate === undefined ? [] : [{ label: row.label, estimate }];
      });
      const title = key === 'macro' ? 'all tasks (mean)' : `${label} questions`;
      return intervalChart(title, rows, { at: CHANCE, label: 'chance' });
    })
    .join('');
}

function tableHtml({ columns, rows, paper }: Table3): string {
  const own = rows.map(
    ({ label, cells }) =>
      `<tr><th scope="row">${escapeHtml(label)}</th>${cells.map((cell) => numberCell(cell, percent)).join('')}</tr>`,
  );
  const published = paper.map(
    ({ label, cells }, i) =>
      `<tr class="paper${i === 0 ? ' first-paper' : ''}"><th scope="row">paper: ${escapeHtml(label)}</th>${cells.map((cell) => `<td class="num">${cell}</td>`).join('')}</tr>`,
  );
  return scrolled(
    columns.map(({ label }) => label),
    [...own, ...published],
  );
}

/** Axes and means where there are axes; the tasks' differences are in the Markdown and the JSON. */
function differencesHtml({ columns, differences }: Table3): string {
  const hasAxes = columns.some(({ key }) => key.startsWith('axis:'));
  const shown = [...columns.keys()].filter((i) => !hasAxes || columns[i]?.key.startsWith('task:') !== true);
  const rows = differences.map(
    ({ label, cells }) =>
      `<tr><th scope="row">${escapeHtml(label)}</th>${shown.map((i) => numberCell(cells[i], signed, true)).join('')}</tr>`,
  );
  return scrolled(
    shown.map((i) => columns[i]?.label ?? ''),
    rows,
  );
}

function basesHtml({ bases, runs }: Ablation, estimates: Estimates, table: Table3): string {
  const axes = table.columns.filter(({ key }) => key.startsWith('axis:') || key === 'macro');
  const header = bases.flatMap(({ name }) => axes.map(({ label }) => `${name}: ${label}`));
  const rows = table.rows.map(({ variant, label }) => {
    const own = runs.filter((run) => run.variant === variant);
    const cells = bases.flatMap(({ name }) =>
      axes.map(({ key }) => {
        const values = estimates.of(variant, key)?.values ?? [];
        const ofBase = values.filter((_, i) => own[i]?.base === name);
        if (ofBase.length === 0) return '<td class="num">-</td>';
        const mean = ofBase.reduce((sum, x) => sum + x, 0) / ofBase.length;
        const range = `${percent(Math.min(...ofBase))}–${percent(Math.max(...ofBase))}`;
        return `<td class="num">${percent(mean)}<span class="range">${range}</span></td>`;
      }),
    );
    return `<tr><th scope="row">${escapeHtml(label)}</th>${cells.join('')}</tr>`;
  });
  const note = '<p class="note">Mean over the base\'s seeds, and its lowest and highest run.</p>';
  return scrolled(header, rows) + note;
}

function numberCell(cell: Estimate | undefined, show: (share: number) => string, isDifference = false): string {
  if (cell === undefined) return '<td class="num">-</td>';
  const sure = isDifference && (cell.low > 0 || cell.high < 0) ? ' sure' : '';
  // A dash between two numbers that may have signs would be read as one.
  const range = `${show(cell.low)}${isDifference ? ' to ' : '–'}${show(cell.high)}`;
  return `<td class="num${sure}">${show(cell.mean)}<span class="range">${range}</span></td>`;
}

function scrolled(labels: readonly string[], rows: readonly string[]): string {
  const header = labels.map((label) => `<th class="num">${escapeHtml(label)}</th>`).join('');
  return `<div class="scroll"><table><thead><tr><th></th>${header}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}
