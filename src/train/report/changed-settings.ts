import { flatten } from '../../base/flatten.js';
import { type RunConfig, RunConfigSchema } from '../config.js';

export interface ChangedSetting {
  readonly key: string;
  readonly value: string;
  readonly standard: string;
  /** `file:line`, `flag`, or the folder that says so. */
  readonly origin: string;
}

/** Settings that are not the schema's defaults, and who set them. @param origins by key: config.sources.json */
export function changedSettings(config: RunConfig, origins: ReadonlyMap<string, string>): ChangedSetting[] {
  const standard = flatten(RunConfigSchema.parse({}));
  const shown = (value: unknown) =>
    value === undefined ? '-' : typeof value === 'string' ? value : JSON.stringify(value);
  return Object.entries(flatten(config)).flatMap(([key, value]) => {
    if (JSON.stringify(value) === JSON.stringify(standard[key])) return [];
    return { key, value: shown(value), standard: shown(standard[key]), origin: origins.get(key) ?? '' };
  });
}
