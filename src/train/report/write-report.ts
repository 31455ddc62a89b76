import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../base/atomic-file.js';
import { modelCard } from './model-card.js';
import { plotsOf, standaloneSvg } from './plots.js';
import { type RunSummary, reportPage } from './report-page.js';

/** Writes plots/, report.html and MODEL_CARD.md of a run, each whole or not at all. @param dir folder of the run */
export async function writeReport(dir: string, summary: RunSummary): Promise<void> {
  const plots = plotsOf(summary.history);
  await mkdir(join(dir, 'plots'), { recursive: true });
  const files = [
    ...plots.map((plot) => [join('plots', `${plot.name}.svg`), standaloneSvg(plot)] as const),
    ['report.html', reportPage(summary, plots)] as const,
    ['MODEL_CARD.md', modelCard(summary)] as const,
  ];
  for (const [name, text] of files) await writeFileAtomic(join(dir, name), text, { durable: false });
}
