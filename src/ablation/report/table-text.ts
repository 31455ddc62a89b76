/** Table 3 and the findings for a terminal and as Markdown. */
import { formatDuration } from '../../base/format.js';
import { formatTable } from '../../infer/format-table.js';
import type { Estimate } from '../estimate.js';
import type { PairFindings } from '../findings.js';
import { MIN_RUNS } from '../findings.js';
import { PAPER_SOURCE } from '../paper-table3.js';
import { runName } from '../result.js';
import { VARIANT_INFO } from '../variants.js';
import type { Ablation } from './ablation.js';
import { HOW_MEASURED, PAPER_NOTE, percent, signed, type Table3 } from './table3.js';

type Show = (value: number) => string;

/** `98.9 ±0.6`: half-widths are those of the longer side. */
const short =
  (show: Show) =>
  (cell: Estimate | undefined): string =>
    cell === undefined ? '-' : `${show(cell.mean)} ±${percent(Math.max(cell.high - cell.mean, cell.mean - cell.low))}`;

const long =
  (show: Show) =>
  (cell: Estimate | undefined): string =>
    cell === undefined ? '-' : `${show(cell.mean)} (${show(cell.low)} to ${show(cell.high)})`;

export function tableText(table: Table3, findings: readonly PairFindings[], ablation: Ablation): string {
  const tasks = table.columns.flatMap(({ key }, i) => (key.startsWith('axis:') ? [] : [i]));
  const axes = table.columns.flatMap(({ key }, i) => (key.startsWith('axis:') || key === 'macro' ? [i] : []));
  const labels = (columns: readonly number[]) => columns.map((i) => table.columns[i]?.label ?? '');
  const rows = table.rows.map(({ label, cells }) => [label, ...tasks.map((i) => short(percent)(cells[i]))]);
  const paper = table.paper.map(({ label, cells }) => [`paper: ${label}`, ...tasks.map((i) => cells[i] ?? '')]);
  const byAxis = table.rows.map(({ label, runs, cells }) => [
    label,
    String(runs),
    ...axes.map((i) => long(percent)(cells[i])),
  ]);
  const differences = table.differences.map(({ label, cells }) => [label, ...axes.map((i) => long(signed)(cells[i]))]);
  return [
    'Table 3: accuracy by task, %, mean over runs ± the longer side of the 95 % interval',
    formatTable(['', ...labels(tasks)], [...rows, ...paper]),
    `paper: ${PAPER_SOURCE}. ${PAPER_NOTE}`,
    '',
    'What a viewer must have seen, %, with 95 % intervals; chance is 25',
    formatTable(['', 'runs', ...labels(axes)], byAxis),
    '',
    'Paired differences, points',
    formatTable(['', ...labels(axes)], differences),
    '',
    'FINDINGS (each supported by its interval)',
    ...findingLines(findings),
    '',
    HOW_MEASURED,
    provenanceText(ablation),
  ].join('\n');
}

function findingLines(findings: readonly PairFindings[]): string[] {
  const lines = findings.flatMap(({ title, note, findings: supported, paper }) =>
    supported.length === 0
      ? []
      : [
          title,
          ...(note === undefined ? [] : [`    ${note}`]),
          ...supported.map(({ text }) => `  - ${text}`),
          ...(paper === undefined ? [] : [`    ${paper}`]),
        ],
  );
  const open = findings.flatMap(({ open: unsupported }) => unsupported.map(({ text }) => `  - ${text}`));
  return [
    ...(lines.length === 0
      ? [`none: a finding needs at least ${MIN_RUNS} runs and an interval that supports it`]
      : lines),
    ...(open.length === 0 ? [] : ['', 'No finding', ...open]),
  ];
}

export function provenanceText(ablation: Ablation): string {
  const { configFile, overrides, steps, seeds, bases, runs, failures, commit, machine, backend, seconds } = ablation;
  const videos = bases.map(({ questions }) => new Set(questions.map(({ videoId }) => videoId)).size);
  const questions = bases.map(({ questions: asked }) => asked.length);
  const failed = runs.reduce((sum, { choices }) => sum + choices.split('-').length - 1, 0);
  const notes = [
    ablation.quick ? 'QUICK SIZES: these figures show the path, not the scores.' : '',
    ablation.interrupted ? 'INTERRUPTED: some runs are missing.' : '',
    failed > 0 ? `${failed} questions could not be asked and count as wrong.` : '',
    ...failures.map((failure) => `FAILED: ${runName(failure)}: ${failure.message}`),
    ...bases.flatMap(({ name, stages }) =>
      stages
        .filter(({ passed }) => !passed)
        .map(
          (stage) => `Base ${name}: ${stage.name} ended at ${stage.accuracy.toFixed(3)}, below its gate ${stage.gate}.`,
        ),
    ),
  ].filter((note) => note !== '');
  const what = `${configFile}${overrides.length > 0 ? ` ${overrides.join(' ')}` : ''}`;
  return [
    `${runs.length} runs${steps === null ? '' : ` of ${steps} steps`}; bases ${bases.map(({ name }) => name).join(', ')} x seeds ${seeds.join(', ')}; ` +
      `test split of ${videos.join(', ')} videos with ${questions.join(', ')} questions; ${what}.`,
    `commit ${commit ?? 'unknown'}; ${machine}; backend ${backend.name}; ${formatDuration(seconds)}.`,
    ...notes,
  ].join('\n');
}

export function tableMarkdown(table: Table3, findings: readonly PairFindings[], ablation: Ablation): string {
  const header = (first: string, labels: readonly string[]) => [
    `| ${[first, ...labels].join(' | ')} |`,
    `|---|${labels.map(() => '---').join('|')}|`,
  ];
  const labels = table.columns.map(({ label }) => label);
  const line = (label: string, cells: readonly string[]) => `| ${[label, ...cells].join(' | ')} |`;
  return [
    '# Ablations',
    '',
    ...header('accuracy, % (95 %)', labels),
    ...table.rows.map(({ label, cells }) => line(label, cells.map(long(percent)))),
    ...table.paper.map(({ label, cells }) =>
      line(
        `*paper: ${label}*`,
        cells.map((cell) => cell || '-'),
      ),
    ),
    '',
    `*paper*: ${PAPER_SOURCE}. ${PAPER_NOTE}`,
    '',
    ...table.rows.map(({ label, variant, runs }) => `- **${label}** (${runs} runs): ${VARIANT_INFO[variant].what}.`),
    '',
    '## Paired differences',
    '',
    ...header('points (95 %)', labels),
    ...table.differences.map(({ label, cells }) => line(label, cells.map(long(signed)))),
    '',
    '## Findings',
    '',
    ...findingLines(findings).map((text) => (/^\s|^$/.test(text) ? text.replace(/^ {4}/, '  ') : `\n**${text}**\n`)),
    '',
    '## How it was measured',
    '',
    HOW_MEASURED,
    '',
    ...provenanceText(ablation)
      .split('\n')
      .map((text) => `- ${text}`),
    '',
  ].join('\n');
}
