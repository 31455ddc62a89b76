import { ConfigError } from '../base/errors.js';
import { flatten } from '../base/flatten.js';
import { type RunConfig, RunConfigSchema } from './config.js';

/** Keys that a resumed run may change: they decide nothing that is computed. */
const FREE_KEYS =
  /^(out|name|base|temporalBase|tokenizer|data\.(root|train|validation|quarantine|badVideo\w*|decodeWorkers|prefetch\w*)|train\.(probes|saveEverySteps|keepCheckpoints|featureCacheMiB|featureCache\.(dir|maxGiB)))$/;

/**
 * Compares a run's settings with those it was saved with, key by key.
 *
 * A key that came into the program after the save had its default then.
 *
 * @param found `section.key` -> value
 * @throws ConfigError E_RESUME_DRIFT that lists every key that differs
 */
export function checkDrift(found: Readonly<Record<string, unknown>>, config: RunConfig): void {
  const now = flatten(config);
  const saved = { ...flatten(RunConfigSchema.parse({})), ...found };
  const keys = new Set([...Object.keys(saved), ...Object.keys(now)]);
  const changed = [...keys].filter(
    (key) => !FREE_KEYS.test(key) && JSON.stringify(saved[key]) !== JSON.stringify(now[key]),
  );
  if (changed.length === 0) return;
  const lines = changed.map(
    (key) => `  ${key}: ${JSON.stringify(saved[key])} when saved, ${JSON.stringify(now[key])} now`,
  );
  throw new ConfigError(
    'E_RESUME_DRIFT',
    `Resuming needs the configuration the run was started with:\n${lines.join('\n')}`,
    { hint: 'Restore these values, or start a new run under another --name.' },
  );
}
