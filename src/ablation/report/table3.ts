/** Table 3 as cells: what the text, the Markdown and the page have in common. */
import type { Estimate, Estimates } from '../estimate.js';
import { PAPER_COLUMNS, PAPER_TABLE3 } from '../paper-table3.js';
import { VARIANT_INFO, VARIANT_PAIRS, VARIANTS, type Variant } from '../variants.js';

export interface Column {
  readonly key: string;
  readonly label: string;
}

export interface OwnRow {
  readonly variant: Variant;
  readonly label: string;
  readonly runs: number;
  /** One a column. */
  readonly cells: readonly (Estimate | undefined)[];
}

export interface DifferenceRow {
  readonly label: string;
  readonly reference: Variant;
  readonly variant: Variant;
  readonly cells: readonly (Estimate | undefined)[];
}

export interface Table3 {
  readonly columns: readonly Column[];
  readonly rows: readonly OwnRow[];
  /** Reference less variant, run by run. */
  readonly differences: readonly DifferenceRow[];
  /** The paper's rows; a cell is its percent as printed, or empty where it has no such column. */
  readonly paper: readonly { readonly label: string; readonly cells: readonly string[] }[];
}

const TASK_LABELS: Readonly<Record<string, string>> = PAPER_COLUMNS;

/** The paper's tasks first, in its order, then what only synthetic videos have. */
export function table3(estimates: Estimates): Table3 {
  const tasks = estimates.columns.filter((column) => column.startsWith('task:'));
  const axes = estimates.columns.filter((column) => column.startsWith('axis:'));
  const columns: Column[] = [
    ...tasks.map((key) => ({ key, label: TASK_LABELS[key.slice('task:'.length)] ?? key })),
    { key: 'macro', label: 'macro' },
    { key: 'micro', label: 'micro' },
    ...axes.map((key) => ({ key, label: key.slice('axis:'.length) })),
  ];
  const rows = VARIANTS.flatMap((variant): OwnRow[] => {
    const micro = estimates.of(variant, 'micro');
    if (micro === undefined) return [];
    const cells = columns.map(({ key }) => estimates.of(variant, key));
    return [{ variant, label: VARIANT_INFO[variant].label, runs: micro.values.length, cells }];
  });
  const differences = VARIANT_PAIRS.flatMap(({ reference, variant }): DifferenceRow[] => {
    const cells = columns.map(({ key }) => estimates.difference(reference, variant, key));
    if (cells.every((cell) => cell === undefined)) return [];
    const label = `${VARIANT_INFO[reference].label} minus ${VARIANT_INFO[variant].label}`;
    return [{ label, reference, variant, cells }];
  });
  const paper = VARIANTS.flatMap((variant) => {
    const row = PAPER_TABLE3[variant];
    return row === undefined ? [] : [{ label: row.model, cells: columns.map(({ key }) => paperCell(row, key)) }];
  });
  return { columns, rows, differences, paper };
}

function paperCell(row: { readonly tasks: readonly number[]; readonly overall: number }, key: string): string {
  // The paper does not say which mean its Overall is: it stands under ours of the tasks.
  if (key === 'macro') return row.overall.toFixed(1);
  const at = Object.keys(PAPER_COLUMNS).indexOf(key.slice('task:'.length));
  return key.startsWith('task:') ? (row.tasks[at]?.toFixed(1) ?? '') : '';
}

export const percent = (share: number): string => (100 * share).toFixed(1);

/** With a sign; zero has none. */
export function signed(share: number): string {
  const text = percent(share);
  return Number(text) > 0 ? `+${text}` : text.replace(/^-0\.0$/, '0.0');
}

export const HOW_MEASURED = [
  'A run is one base and one tuning seed. Every variant has the same base, data, prompts, seeds, steps and decoding (the likelihood of the option letters);',
  'it is asked the questions of the test split with its best checkpoint on the validation split. A cell is the mean over runs.',
  'The interval (95 %) is the wider reach of two: t over the runs (runs - 1 degrees of freedom), which takes runs of one base for independent;',
  'and a bootstrap that draws bases, within each its seeds, within each its videos with all their questions (2,000 draws).',
  'Differences are taken run by run, on the same questions. Intervals are one by one, not corrected for their number.',
].join(' ');

export const PAPER_NOTE =
  'The paper\'s "Overall" is not the mean of its seven columns, and it does not say which mean it is; it stands under macro.';
