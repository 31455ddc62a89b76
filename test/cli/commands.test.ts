/** The command line is a promise to scripts: this list changes only together with the change log. */
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/registry.js';

const FROZEN: Readonly<Record<string, readonly string[]>> = {
  demo: ['out', 'seed', 'quick', 'backend', 'device', 'precision', 'threads'],
  doctor: ['json', 'kernels'],
  plan: ['config', 'checkpoint', 'video', 'frames', 'precision', 'device', 'probe', 'json'],
  features: ['config', 'jobs', 'backend', 'device', 'precision', 'threads', 'json'],
  train: ['config', 'resume', 'dry-run', 'ablate', 'json', 'backend', 'device', 'precision', 'threads'],
  ablate: [
    ...['config', 'seeds', 'bases', 'variants', 'test', 'out', 'bases-dir', 'resume', 'quick'],
    ...['backend', 'device', 'precision', 'threads'],
  ],
  eval: [
    ...['bench', 'checkpoint', 'model', 'root', 'out', 'compare', 'comments', 'seed', 'json'],
    ...['backend', 'device', 'precision', 'threads'],
  ],
  choose: [
    ...['checkpoint', 'video', 'question', 'options', 'timings', 'json'],
    ...['backend', 'device', 'precision', 'threads'],
  ],
  comment: [
    ...['checkpoint', 'video', 'n', 'seed', 'temperature', 'top-p', 'top-k', 'repetition-penalty', 'max-tokens'],
    ...['json', 'backend', 'device', 'precision', 'threads'],
  ],
  serve: [
    'checkpoint',
    'host',
    'port',
    'api-key-file',
    'allow-host',
    'media-root',
    'backend',
    'device',
    'precision',
    'threads',
  ],
  'config print': ['config', 'json'],
  'data synth': ['out', 'seed', 'train', 'validation', 'test', 'json'],
  'data validate': ['json'],
  'data scan': ['root', 'jobs', 'json', 'quarantine'],
  'bench build': ['records', 'out', 'seed', 'json'],
  'weights random': ['like', 'out', 'seed', 'dtype', 'layout', 'tokenizer', 'scale', 'json'],
  'weights inspect': ['json'],
  'weights convert': ['from', 'out', 'to', 'dtype', 'json'],
  'weights merge': [
    ...['checkpoint', 'out', 'dtype', 'verify', 'prompts', 'video', 'tolerance', 'json'],
    ...['backend', 'device', 'precision', 'threads'],
  ],
  'weights export-peft': ['checkpoint', 'out', 'layout', 'base-model', 'json'],
  'weights import-peft': ['adapter', 'base', 'out', 'config', 'json'],
};
const POSITIONALS: Readonly<Record<string, string>> = {
  'data validate': 'FILE',
  'data scan': 'FILE',
  'weights inspect': 'PATH',
};

const TAKES_OVERRIDES = ['plan', 'features', 'train', 'ablate', 'config print'];

describe('the command line', () => {
  it('has exactly these commands', () => {
    expect(Object.keys(COMMANDS)).toEqual(Object.keys(FROZEN));
  });

  it.each(Object.keys(FROZEN))('mimic %s has exactly its frozen flags', async (name) => {
    const command = await COMMANDS[name]?.load();
    expect(Object.keys(command?.flags ?? {})).toEqual(FROZEN[name]);
    expect(command?.takesOverrides ?? false).toBe(TAKES_OVERRIDES.includes(name));
    expect(command?.positional).toBe(POSITIONALS[name]);
  });

  it.each(Object.keys(FROZEN))('mimic %s describes every flag and gives three examples of itself', async (name) => {
    const command = await COMMANDS[name]?.load();
    for (const flag of Object.values(command?.flags ?? {})) expect(flag.describe).toMatch(/\w{2}/);
    expect(command?.examples).toHaveLength(3);
    for (const [line, what] of command?.examples ?? []) {
      expect(line.startsWith(`mimic ${name}`)).toBe(true);
      expect(what).not.toBe('');
    }
    expect(command?.exitCodes).toEqual(expect.arrayContaining([0, 1, 2]));
  });
});
