import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { loadConfig } from '../../src/base/config.js';
import { ConfigError } from '../../src/base/errors.js';
import { sha256 } from '../../src/base/hash.js';

const Schema = z.strictObject({
  name: z.string().default('run'),
  fps: z.number().nullable().default(null),
  train: z
    .strictObject({
      lr: z.number().positive().default(1e-3),
      epochs: z.int().min(1).default(50),
      mode: z.enum(['token', 'answer']).default('token'),
      betas: z.tuple([z.number(), z.number()]).default([0.9, 0.999]),
      targets: z.array(z.string()).default(['wqkv']),
    })
    .prefault({}),
  stages: z.array(z.strictObject({ lr: z.number().default(1), steps: z.int() })).default([]),
  encoder: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('image'), patch: z.int() }),
      z.strictObject({ kind: z.literal('video'), frames: z.int() }),
    ])
    .optional(),
  limit: z.union([z.number(), z.literal('none')]).default('none'),
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mimic-config-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function yaml(text: string, name = 'run.yaml'): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, text);
  return file;
}

async function failure(sources: { file?: string; overrides?: string[] }): Promise<ConfigError> {
  const error: unknown = await loadConfig(Schema, sources).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConfigError);
  return error as ConfigError;
}

describe('loadConfig precedence', () => {
  it('fills everything from the defaults when nothing is given', async () => {
    const { config, origins } = await loadConfig(Schema, {});
    expect(config).toEqual(Schema.parse({}));
    expect(new Set(origins.values())).toEqual(new Set(['default']));
  });

  it('lets a file override defaults, and a flag override the file, leaf by leaf', async () => {
    const file = await yaml('name: mine\ntrain:\n  lr: 0.5\n  epochs: 7\n');
    const { config, origins } = await loadConfig(Schema, { file, overrides: ['--train.lr=4e-5'] });
    expect(config.name).toBe('mine');
    expect(config.train).toEqual({ lr: 4e-5, epochs: 7, mode: 'token', betas: [0.9, 0.999], targets: ['wqkv'] });
    expect(origins.get('name')).toBe(`${file}:1`);
    expect(origins.get('train.lr')).toBe('flag');
    expect(origins.get('train.epochs')).toBe(`${file}:4`);
    expect(origins.get('train.betas')).toBe('default');
  });

  it('reads the extended file first and names it as the origin of what it alone sets', async () => {
    const base = await yaml('train:\n  lr: 0.25\n  targets: [a, b, c]\n', 'base.yaml');
    const file = await yaml('extends: base.yaml\ntrain:\n  targets: [z]\n');
    const { config, origins } = await loadConfig(Schema, { file });
    expect(config.train.lr).toBe(0.25);
    expect(config.train.targets).toEqual(['z']);
    expect(origins.get('train.lr')).toBe(`${base}:2`);
    expect(origins.get('train.targets')).toBe(`${file}:3`);
  });

  it('replaces a list as a whole, so that no item of the extended file shines through', async () => {
    await yaml('stages:\n  - {lr: 3, steps: 1}\n  - {lr: 4, steps: 2}\n', 'base.yaml');
    const file = await yaml('extends: base.yaml\nstages:\n  - steps: 9\n');
    const { config, origins } = await loadConfig(Schema, { file });
    expect(config.stages).toEqual([{ lr: 1, steps: 9 }]);
    expect(origins.get('stages.0.lr')).toBe('default');
    expect(origins.get('stages.0.steps')).toBe(`${file}:3`);
  });

  it('reads flags as YAML: numbers, lists, null, one item of a list', async () => {
    const file = await yaml('fps: 3\nstages:\n  - {lr: 3, steps: 1}\n');
    const overrides = [
      '--train.targets=[wqkv,wo]',
      '--fps=null',
      '--name=a=b',
      '--stages.0.lr=0.5',
      '--train.betas=[0.8,0.9]',
    ];
    const { config, origins } = await loadConfig(Schema, { file, overrides });
    expect(config.train.targets).toEqual(['wqkv', 'wo']);
    expect(config.fps).toBeNull();
    expect(config.name).toBe('a=b');
    expect(config.stages).toEqual([{ lr: 0.5, steps: 1 }]);
    expect(config.train.betas).toEqual([0.8, 0.9]);
    expect(origins.get('stages.0.lr')).toBe('flag');
    expect(origins.get('stages.0.steps')).toBe(`${file}:3`);
  });

  it('names a flag as the origin of a list in which it set one item', async () => {
    const file = await yaml('train:\n  betas: [0.9, 0.99]\n');
    const { config, origins } = await loadConfig(Schema, { file, overrides: ['--train.betas.1=0.95'] });
    expect(config.train.betas).toEqual([0.9, 0.95]);
    expect(origins.get('train.betas')).toBe('flag');
  });

  it('follows YAML 1.2: no, on and 010 are not turned into booleans or octal numbers', async () => {
    const { config } = await loadConfig(Schema, {
      overrides: ['--train.targets=[no, on, "010"]', '--train.epochs=010'],
    });
    expect(config.train.targets).toEqual(['no', 'on', '010']);
    expect(config.train.epochs).toBe(10);
  });

  it('accepts a file of comments only', async () => {
    const { config } = await loadConfig(Schema, { file: await yaml('# nothing yet\n') });
    expect(config.name).toBe('run');
  });
});

describe('loadConfig result', () => {
  it('gives a YAML text that loads to the same configuration, and its SHA-256', async () => {
    const file = await yaml('name: "007"\nfps: 2.5\nstages:\n  - steps: 3\nencoder: {kind: video, frames: 4}\n');
    const first = await loadConfig(Schema, { file, overrides: ['--train.lr=1e-7'] });
    const second = await loadConfig(Schema, { file: await yaml(first.yaml, 'resolved.yaml') });
    expect(second.config).toEqual(first.config);
    expect(second.yaml).toBe(first.yaml);
    expect(first.sha256).toBe(sha256(first.yaml));
  });

  it('gives the same SHA-256 for the same settings however they were written', async () => {
    const byFile = await loadConfig(Schema, { file: await yaml('train: {lr: 0.5}\nname: x\n') });
    const byFlags = await loadConfig(Schema, { overrides: ['--name=x', '--train.lr=5e-1'] });
    expect(byFlags.sha256).toBe(byFile.sha256);
  });
});

describe('loadConfig refuses', () => {
  it('an unknown key, with line, nearest name and the keys of its section', async () => {
    const file = await yaml('train:\n  epochs: 2\n  lrr: 1\n');
    const error = await failure({ file });
    expect(error.code).toBe('E_CONFIG_INVALID');
    expect(error.message).toBe(
      `1 problem in the configuration\n  ${file}:3: train.lrr: unknown key, did you mean "lr"? ` +
        '(keys of train: lr, epochs, mode, betas, targets)',
    );
  });

  it('an unknown top-level flag', async () => {
    const error = await failure({ overrides: ['--trian.lr=1'] });
    expect(error.message).toContain(
      '--trian: unknown key, did you mean "train"? (keys of the top level: name, fps, train,',
    );
  });

  it('several problems at once, each with its place, got and expected', async () => {
    const file = await yaml(
      'name: 3\ntrain:\n  lr: fast\n  mode: tokn\n  betas: [1]\nstages:\n  - lr: 2\nlimit: some\n',
    );
    const error = await failure({ file, overrides: ['--train.epochs=0'] });
    expect(error.context['problems']).toEqual([
      `${file}:1: name: got 3, expected a string`,
      `${file}:3: train.lr: got "fast", expected a number`,
      '--train.epochs: got 0, expected at least 1',
      `${file}:4: train.mode: got "tokn", expected one of "token", "answer"; did you mean "token"?`,
      `${file}:5: train.betas: got [1], expected at least 2 items`,
      `${file}:7: stages.0.steps: got nothing, expected a number`,
      `${file}:8: limit: got "some", expected a number or "none"`,
    ]);
    expect(error.message).toContain('7 problems in the configuration\n');
  });

  it('a section left empty, which YAML reads as null', async () => {
    const file = await yaml('train:\n  # lr: 1\nname: x\n');
    expect((await failure({ file })).message).toContain(
      `${file}:1: train: got null (an empty value), expected a section`,
    );
  });

  it('an unknown kind of a tagged section, and a key of the wrong kind', async () => {
    const wrongKind = await failure({ overrides: ['--encoder.kind=sound'] });
    expect(wrongKind.message).toContain('--encoder.kind: got "sound", expected one of "image", "video"');
    const wrongKey = await failure({ overrides: ['--encoder.kind=image', '--encoder.patch=1', '--encoder.patchs=3'] });
    expect(wrongKey.message).toContain('--encoder.patchs: unknown key, did you mean "patch"?');
  });

  it('__proto__, without touching the prototype of anything', async () => {
    const file = await yaml('__proto__:\n  polluted: 1\n');
    expect((await failure({ file })).message).toContain(`${file}:1: __proto__: unknown key`);
    expect(await failure({ overrides: ['--__proto__.polluted=1'] })).toBeInstanceOf(ConfigError);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });

  it('a key that is written twice', async () => {
    const file = await yaml('name: a\nname: b\n');
    const error = await failure({ file });
    expect(error.code).toBe('E_CONFIG_YAML');
    expect(error.message).toBe(`${file}:2: not valid YAML: Map keys must be unique at line 2, column 1:`);
  });

  it('a file that is not a mapping', async () => {
    const file = await yaml('[1, 2]\n');
    expect((await failure({ file })).message).toBe(`${file}:1: got [1,2], expected sections such as "model:"`);
  });

  it('a missing file, naming it', async () => {
    const error = await failure({ file: join(folder, 'absent.yaml') });
    expect(error.code).toBe('E_CONFIG_FILE');
    expect(error.message).toContain('absent.yaml cannot be read: ENOENT');
  });

  it('more than a megabyte, before reading it', async () => {
    const file = await yaml(`# ${'x'.repeat(1_000_000)}\n`);
    const error = await failure({ file });
    expect(error.code).toBe('E_CONFIG_TOO_LARGE');
    expect(error.message).toContain('has 1000003 bytes, at most 1000000 are read');
  });

  it('aliases that multiply into a huge document', async () => {
    const bomb = Array.from({ length: 9 }, (_, i) => `k${i + 1}: &k${i + 1} [${Array(9).fill(`*k${i}`).join(',')}]`);
    const file = await yaml(`k0: &k0 [x]\n${bomb.join('\n')}\n`);
    expect((await failure({ file })).message).toContain('Excessive alias count indicates a resource exhaustion attack');
  });

  it('a second level of extends', async () => {
    await yaml('name: a\n', 'root.yaml');
    const base = await yaml('extends: root.yaml\n', 'base.yaml');
    const file = await yaml('extends: base.yaml\n');
    const error = await failure({ file });
    expect(error.code).toBe('E_CONFIG_EXTENDS');
    expect(error.message).toBe(
      `${base} is extended by ${file} and itself extends root.yaml; only one level is allowed`,
    );
  });

  it('extends that is no path', async () => {
    const file = await yaml('name: a\nextends: [b.yaml]\n');
    expect((await failure({ file })).message).toContain(
      `${file}:2: extends: got ["b.yaml"], expected the relative path`,
    );
  });

  it('a flag without a value, or with a value that is no YAML', async () => {
    expect((await failure({ overrides: ['--train.lr'] })).message).toBe(
      'override --train.lr: expected --section.key=value',
    );
    const error = await failure({ overrides: ['--train.targets=[a'] });
    expect(error.code).toBe('E_CONFIG_FLAG');
    expect(error.message).toContain('override --train.targets=[a: the value is not valid YAML');
    expect(error.hint).toBe(`quote it: '--train.targets="..."'`);
  });
});
