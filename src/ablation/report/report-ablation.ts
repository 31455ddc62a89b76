/** ablation.json, Table 3 as text, Markdown and a page. */
import { join } from 'node:path';
import { writeFileAtomic } from '../../base/atomic-file.js';
import { log } from '../../base/logger.js';
import { type Estimate, type Estimates, estimate } from '../estimate.js';
import { findingsOf } from '../findings.js';
import { PAPER_SOURCE, PAPER_TABLE3 } from '../paper-table3.js';
import { ABLATION_FORMAT } from '../result.js';
import { VARIANT_INFO } from '../variants.js';
import type { Ablation } from './ablation.js';
import { ablationPage } from './ablation-page.js';
import { tableMarkdown, tableText } from './table-text.js';
import { HOW_MEASURED, type Table3, table3 } from './table3.js';

export type { Ablation, BaseReport, FailedRun } from './ablation.js';

export async function reportAblation(out: string, ablation: Ablation): Promise<void> {
  const questions = new Map(ablation.bases.map((base) => [base.name, base.questions]));
  const estimates = estimate(ablation.runs, questions);
  const table = table3(estimates);
  const findings = findingsOf(estimates);
  const text = tableText(table, findings, ablation);
  const { runs, failures, bases, ...settings } = ablation;
  const file = {
    format: ABLATION_FORMAT,
    ...settings,
    intervals: HOW_MEASURED,
    table: Object.fromEntries(table.rows.map(({ variant, cells }) => [variant, byColumn(table, cells)])),
    differences: table.differences.map(({ reference, variant, cells }) => {
      return { reference, variant, columns: byColumn(table, cells) };
    }),
    findings,
    paper: { source: PAPER_SOURCE, rows: PAPER_TABLE3 },
    variantsMeaning: Object.fromEntries(ablation.variants.map((variant) => [variant, VARIANT_INFO[variant].what])),
    failures: failures.map(({ error: _, ...failure }) => failure),
    runs: runs.map((run) => ({ ...run, accuracy: accuracyOf(estimates, run, runs) })),
    bases,
  };
  await writeFileAtomic(join(out, 'ablation.json'), `${JSON.stringify(file)}\n`);
  await writeFileAtomic(join(out, 'table3.txt'), `${text}\n`);
  await writeFileAtomic(join(out, 'table3.md'), tableMarkdown(table, findings, ablation));
  await writeFileAtomic(join(out, 'ablation.html'), ablationPage(table, findings, ablation, estimates));
  process.stdout.write(`${text}\n`);
  log.info(`report: ${join(out, 'ablation.html')}, table3.md, table3.txt, ablation.json`);
}

function byColumn({ columns }: Table3, cells: readonly (Estimate | undefined)[]): Record<string, Estimate | null> {
  return Object.fromEntries(columns.map(({ key }, i) => [key, cells[i] ?? null]));
}

/** A run's own accuracies: its place among the variant's values. */
function accuracyOf(estimates: Estimates, run: Ablation['runs'][number], runs: Ablation['runs']) {
  const place = runs.filter(({ variant }) => variant === run.variant).indexOf(run);
  return Object.fromEntries(
    estimates.columns.map((column) => [column, estimates.of(run.variant, column)?.values[place] ?? null]),
  );
}
