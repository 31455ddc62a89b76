/** `--device` and `--precision` of every command that computes: refused when they cannot be meant, and passed on. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import * as select from '../../src/backend/select.js';
import { BackendError } from '../../src/base/errors.js';
import { packageRoot } from '../../src/base/package-root.js';
import { MimicChat } from '../../src/infer/mimic-chat.js';
import { runCli } from '../support/run-cli.js';

vi.mock('../../src/backend/select.js', async (load) => {
  const original = await load<typeof select>();
  return { ...original, useBackend: vi.fn(original.useBackend) };
});

const CHECKPOINT = ['--checkpoint', 'c'];
const VIDEO = ['--video', 'v.mp4'];
const DEMO_CONFIG = join(packageRoot(), 'configs', 'demo.yaml');

const QUESTION = {
  ...{ id: 'q', videoId: 'v', videoPath: 'v.mp4', task: 'title' },
  ...{ options: ['a', 'b', 'c', 'd'], answer: 0 },
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mimic-device-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

const COMMANDS: readonly (readonly string[])[] = [
  ['train', '-c', DEMO_CONFIG],
  ['eval', '--bench', 'b.jsonl', ...CHECKPOINT],
  ['choose', ...CHECKPOINT, ...VIDEO, '--question', 'q', '--options', 'a', 'b'],
  ['comment', ...CHECKPOINT, ...VIDEO],
  ['serve', ...CHECKPOINT],
  ['demo'],
];

describe.each(COMMANDS.map((words) => [words[0] ?? '', words] as const))('mimic %s', (_, words) => {
  it.each([
    ['cuda:x', 'cuda:0'],
    ['CPU', 'cpu'],
    ['cude', 'cuda'],
    ['aut', 'auto'],
  ])('refuses --device %s and proposes %s', async (device, close) => {
    const { exitCode, stderr } = await runCli(...words, '--device', device);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`error E_DEVICE_NAME: device ${device}: expected auto, cpu, cuda or cuda:N`);
    expect(stderr).toContain(`hint: did you mean ${close}?`);
  });

  it.each([
    ['bf61', '; did you mean bf16?'],
    ['fp23', '; did you mean fp32?'],
    ['int8', ''],
  ])('refuses --precision %s with the nearest name, if one is near', async (precision, guess) => {
    const { exitCode, stderr } = await runCli(...words, '--precision', precision);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`--precision: got "${precision}", expected one of fp32, bf16${guess}\n`);
  });

  it.each(['--device', '--precision'])('refuses %s without a value', async (flag) => {
    const { exitCode, stderr } = await runCli(...words, flag);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`${flag} has no value`);
  });
});

describe('the choice reaches the backend', () => {
  const chosen = ['--device', 'cuda:3', '--precision', 'bf16', '--backend', 'native', '--threads', '1'];
  const options = { device: 'cuda:3', precision: 'bf16', backend: 'native', threads: 1 };
  const stop = new BackendError('E_STOP', 'far enough');

  it.each([
    ['train', '-c', DEMO_CONFIG],
    ['demo', '--out', 'unused'],
  ])('of mimic %s', async (...words) => {
    vi.mocked(select.useBackend).mockRejectedValueOnce(stop);
    const { stderr } = await runCli(...words, ...chosen);
    expect(stderr).toContain('E_STOP');
    expect(select.useBackend).toHaveBeenLastCalledWith(expect.objectContaining(options));
  });

  it.each(
    COMMANDS.filter(([name]) => name !== 'train' && name !== 'demo').map((words) => [words[0] ?? '', words] as const),
  )('of mimic %s', async (_, words) => {
    const bench = join(folder, 'bench.jsonl');
    writeFileSync(bench, `${JSON.stringify(QUESTION)}\n`);
    const load = vi.spyOn(MimicChat, 'load').mockRejectedValue(stop);
    const given = words.map((word) => (word === 'b.jsonl' ? bench : word));
    const { stderr } = await runCli(...given, ...chosen);
    expect(stderr).toContain('E_STOP');
    expect(load).toHaveBeenCalledExactlyOnceWith('c', expect.objectContaining(options));
  });
});
