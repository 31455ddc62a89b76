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
  for (const plot of plots) await writeFileAtomic(join(dir, 'plots', `${plot.name}.svg`), standaloneSvg(plot));
  await writeFileAtomic(join(dir, 'report.html'), reportPage(summary, plots));
  await writeFileAtomic(join(dir, 'MODEL_CARD.md'), modelCard(summary));
}
