/** The configuration of every run, from the user's file and flags. */
import { join } from 'node:path';
import { ConfigError } from '../base/errors.js';
import { sha256 } from '../base/hash.js';
import { loadRunConfig } from '../train/base-settings.js';
import type { RunConfig } from '../train/config.js';
import { VARIANT_INFO, type Variant } from './variants.js';

export interface ConfigSource {
  readonly file: string;
  /** The user's `--section.key=value`. */
  readonly overrides: readonly string[];
  readonly quick: boolean;
}

const QUICK = ['--train.maxSteps=60', '--train.evalEverySteps=30'];

/** The full model's settings, on the base that these overrides lead to. */
export async function planConfig(source: ConfigSource, overrides: readonly string[] = []): Promise<RunConfig> {
  const given = [...(source.quick ? QUICK : []), ...source.overrides, ...VARIANT_INFO.full.overrides, ...overrides];
  const { config } = await loadRunConfig({ file: source.file, overrides: given });
  if (config.prompt.layout !== 'none') return config;
  throw new ConfigError(
    'E_ABLATION_CONFIG',
    'mimic ablate: prompt.layout is none, so that no variant would see a video.',
    {
      hint: 'text alone is a variant of its own: text-only',
    },
  );
}

export interface RunPlace {
  readonly out: string;
  readonly base: { readonly name: string; readonly overrides: readonly string[] };
  readonly seed: number;
  readonly variant: Variant;
}

/** One run's settings: the same for all variants but for what the variant changes. */
export async function planRun(source: ConfigSource, { out, base, seed, variant }: RunPlace): Promise<RunConfig> {
  const folder = join(out, 'runs', `base-${base.name}`, `seed-${seed}`);
  const overrides = [
    ...base.overrides,
    ...VARIANT_INFO[variant].overrides,
    ...[`--seed=${seed}`, `--name=${variant}`, `--out=${JSON.stringify(folder)}`],
  ];
  const given = [...(source.quick ? QUICK : []), ...source.overrides, ...overrides];
  return (await loadRunConfig({ file: source.file, overrides: given })).config;
}

/** What decides the figures: where things lie is left out. */
export function decidingSettings(config: RunConfig): Record<string, unknown> {
  const { out: _, name: __, base: ___, temporalBase: ____, tokenizer: _____, ...rest } = config;
  const { train, validation, root, ...data } = rest.data;
  return { ...rest, data };
}

export const configSha256 = (config: RunConfig): string => sha256(JSON.stringify(decidingSettings(config)));

/** Dotted keys whose values differ; as JSON, where a key without a value is absent. */
export function differingKeys(a: unknown, b: unknown, path = ''): string[] {
  const [left, right] = [entriesOf(a), entriesOf(b)];
  if (left === undefined || right === undefined) return JSON.stringify(a) === JSON.stringify(b) ? [] : [path];
  return [...new Set([...left.keys(), ...right.keys()])].flatMap((key) =>
    differingKeys(left.get(key), right.get(key), path === '' ? key : `${path}.${key}`),
  );
}

function entriesOf(value: unknown): Map<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return new Map(Object.entries(value));
}
