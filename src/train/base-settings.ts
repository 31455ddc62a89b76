/** What the folders named by `base` and `temporalBase` say of a model, as settings beneath the user's. */
import { relative } from 'node:path';
import { type ConfigSources, type LoadedConfig, loadConfig } from '../base/config.js';
import type { BeneathAssignment, ConfigPath } from '../base/config-layer.js';
import { ConfigError } from '../base/errors.js';
import { inspectPublished, type PublishedFolder } from '../model/checkpoints/published-folder.js';
import { type RunConfig, RunConfigSchema } from './config.js';

export interface LoadedRunConfig extends LoadedConfig<RunConfig> {
  /** What the folders left unsaid and what was taken instead. */
  readonly notes: readonly string[];
}

/**
 * The configuration of a run. Sizes come from the config.json of a published base, so that a file names only what it
 * decides; a value of its own that contradicts one is an error.
 *
 * @throws ConfigError as `loadConfig`; CheckpointError E_BASE_CONFIG when a published config.json cannot be followed
 */
export async function loadRunConfig(sources: Omit<ConfigSources, 'beneath'>): Promise<LoadedRunConfig> {
  const notes: string[] = [];
  const loaded = await loadConfig(RunConfigSchema, {
    ...sources,
    async beneath(settings) {
      const layers: BeneathAssignment[] = [];
      for (const key of ['base', 'temporalBase'] as const) {
        const dir = settings[key];
        const published = typeof dir === 'string' ? await inspectPublished(dir) : undefined;
        if (published === undefined) continue;
        checkKind(key, published);
        notes.push(...published.notes.map((note) => `${key}: ${note}`));
        layers.push(...settingsOf(published, key));
      }
      return layers;
    },
  });
  return { ...loaded, notes };
}

function checkKind(key: 'base' | 'temporalBase', { kind, file }: PublishedFolder): void {
  const isTemporal = kind === 'timesformer';
  if (isTemporal === (key === 'temporalBase')) return;
  throw new ConfigError(
    'E_BASE_KIND',
    `${key}: ${file} is that of ${isTemporal ? 'a TimeSformer' : 'an InternVL'}, expected ${isTemporal ? 'an InternVL' : 'a TimeSformer'}.`,
    { hint: `Name it as ${isTemporal ? 'temporalBase' : 'base'}.` },
  );
}

/** Sizes are fixed by the weights; normalisation, resizing and template are what the weights learnt, and may be set otherwise. */
export function settingsOf(
  { model, preprocessing, prompt, video, lora, file }: PublishedFolder,
  key: 'base' | 'temporalBase',
): BeneathAssignment[] {
  const short = relative('.', file);
  const origin = `${key} ${short.length < file.length ? short : file}`;
  const at = (path: ConfigPath, values: object | undefined, fixed: boolean): BeneathAssignment[] =>
    Object.entries(values ?? {}).map(([name, value]: [string, unknown]) => ({
      path: [...path, name],
      value,
      origin,
      fixed,
    }));
  const adapters = lora === undefined ? undefined : { rank: lora.rank, alpha: lora.alpha, targets: [...lora.targets] };
  return [
    ...at(['model', 'spatial'], model.spatial, true),
    ...at(['model', 'spatial'], preprocessing.spatial, false),
    ...at(['model', 'temporal'], model.temporal, true),
    ...at(['model', 'temporal'], preprocessing.temporal, false),
    ...at(['model', 'language'], model.language, true),
    ...at(['model', 'lora'], adapters, true),
    ...at(['prompt'], prompt, false),
    ...at(['video'], video, false),
  ];
}
