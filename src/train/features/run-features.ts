/** `mimic features`: configuration, backend, progress and summary around filling the cache. */
import { type BackendOptions, useBackend } from '../../backend/select.js';
import { ConfigError } from '../../base/errors.js';
import { formatBytes, formatDuration } from '../../base/format.js';
import { log } from '../../base/logger.js';
import { Progress } from '../../base/progress.js';
import { openVideo } from '../../data/video/open-video.js';
import { Pool } from '../../data/video/pool.js';
import { loadRunConfig } from '../base-settings.js';
import { samplingOf } from '../config.js';
import { type FillCounts, type FillResult, fillCache, videosOf } from './fill-cache.js';
import { loadEncoders } from './load-encoders.js';
import { openFeatureCache } from './open-features.js';

export interface RunFeaturesOptions extends BackendOptions {
  readonly configFile: string;
  readonly overrides: readonly string[];
  /** Default: data.decodeWorkers. */
  readonly jobs?: number | undefined;
}

export interface FeaturesReport extends FillResult {
  readonly dir: string;
  readonly seconds: number;
}

/** Failures that are printed; the report has all. */
const SHOWN_FAILURES = 20;

/** @throws ConfigError E_FEATURE_CACHE_OFF, E_FEATURE_CACHE_WRITE; otherwise as training */
export async function runFeatures({
  configFile,
  overrides,
  jobs,
  ...backend
}: RunFeaturesOptions): Promise<FeaturesReport> {
  const loaded = await loadRunConfig({ file: configFile, overrides });
  const { config } = loaded;
  for (const note of loaded.notes) log.info(note);
  const videos = await videosOf(config);
  const chosen = await useBackend(backend);
  log.info(`backend ${chosen.name}: ${chosen.reason}`);
  const model = await loadEncoders(config);
  const progress = new Progress('features', { total: videos.length });
  const started = performance.now();
  try {
    const cache = openFeatureCache(config, model);
    if (cache === null) {
      throw new ConfigError('E_FEATURE_CACHE_OFF', 'train.featureCache.maxGiB is 0: there is no cache to fill.', {
        hint: 'Set --train.featureCache.maxGiB=50, or as much of the disk as features may take.',
      });
    }
    const { dir } = cache.store;
    await cache.store.prepare().catch((cause: Error) => {
      const hint = 'Name a folder that can be written: --train.featureCache.dir=DIR.';
      throw new ConfigError('E_FEATURE_CACHE_WRITE', `${dir}: cannot be written (${cause.message}).`, { hint, cause });
    });
    const slots = jobs ?? config.data.decodeWorkers;
    const pool = new Pool(slots);
    const sampling = samplingOf(config);
    const { maxTiles, thumbnail } = config.model.spatial;
    const filled = await fillCache(videos, {
      ...{ model, cache, jobs: slots },
      frames: (input) => openVideo(input, sampling, { pool, tiles: { maxTiles, thumbnail }, warm: true }),
      onProgress: (counts) => progress.update(doneOf(counts), describe(counts)),
    });
    const seconds = (performance.now() - started) / 1000;
    progress.end();
    const report = { dir, ...filled, seconds };
    summarize(report);
    return report;
  } finally {
    progress.end();
    model.dispose();
  }
}

const doneOf = ({ hits, stored, notStored, failed }: FillCounts) => hits + stored + notStored + failed;

function describe({ hits, stored, notStored, failed }: FillCounts): string {
  const parts = [`${stored} stored`, `${hits} there already`];
  if (notStored > 0) parts.push(`${notStored} without room`);
  if (failed > 0) parts.push(`${failed} failed`);
  return parts.join(', ');
}

function summarize(report: FeaturesReport): void {
  const { dir, videos, bytes, seconds, failures, notStored } = report;
  log.info(`${videos} videos: ${describe(report)}; ${formatBytes(bytes)} to ${dir} in ${formatDuration(seconds)}`);
  for (const { id, message } of failures.slice(0, SHOWN_FAILURES)) log.warn(`${id}: ${message}`);
  if (failures.length > SHOWN_FAILURES) log.warn(`and ${failures.length - SHOWN_FAILURES} more; --json lists all`);
  if (notStored > 0) log.warn(`${notStored} videos have no entry: raise train.featureCache.maxGiB, or free the disk`);
}
