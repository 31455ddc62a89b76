import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/base/package-root.js';
import { writeSafetensors } from '../../src/model/weights/safetensors-writer.js';
import { runCli } from '../support/run-cli.js';

const GOLDENS = join(packageRoot(), 'test', 'parity', 'goldens');

describe('mimic weights inspect', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'inspect-'));
  });
  afterAll(() => rmSync(dir, { recursive: true }));
  const inspect = async (path: string) => JSON.parse((await runCli('weights', 'inspect', path, '--json')).stdout);

  it('counts what shards hold together, by part and dtype', async () => {
    const report = await inspect(join(GOLDENS, 'internvl2_5-internlm2'));
    expect(report).toMatchObject({ format: 'safetensors, 3 shards', tensors: 55, parameters: 37992, bytes: 75984 });
    expect(report.layout).toContain('OpenGVLab');
    // 2 layers x (wqkv 64 x 32 + wo 32 x 32 + three of 52 x 32 + two norms of 32) + embeddings and head of 97 x 32 + norm.
    const language = 2 * (64 * 32 + 32 * 32 + 3 * 52 * 32 + 2 * 32) + 2 * 97 * 32 + 32;
    expect(report.parts[0]).toEqual({ name: 'language model', tensors: 17, parameters: language, bytes: 2 * language });
    expect(report.dtypes).toEqual([{ name: 'BF16', tensors: 55, parameters: 37992, bytes: 75984 }]);
    expect(report.patterns).toContainEqual({
      ...{ name: 'language_model.model.layers.*.attention.wqkv.weight', layers: '0-1', tensors: 2 },
      ...{ dtype: 'BF16', shape: [64, 32] },
    });
    expect(report.companions).toContainEqual(expect.stringContaining('template "internvl2_5"'));
  });

  it.each([
    ['internvl2_5-qwen2-hf-old', /-hf, older prefixes/],
    ['internvl2_5-qwen2-hf-new', /-hf, prefixes of transformers/],
    ['timesformer-bin', /TimeSformer, Hugging Face/],
    ['adapters/on-language-model', /^PEFT on the language model/],
    ['adapters/on-whole-model', /^PEFT on the whole model/],
    ['adapters/in-model', /^in-model LoRA/],
  ])('knows the layout of %s', async (folder, layout) => {
    expect((await inspect(join(GOLDENS, folder))).layout).toMatch(layout);
  });

  it('reads a pickle without running it', async () => {
    const report = await inspect(join(GOLDENS, 'timesformer-bin', 'pytorch_model.bin'));
    expect(report).toMatchObject({ format: 'PyTorch archive', tensors: 49 });
  });

  it('shows gaps between layers, other shapes, metadata, and names of no layout', async () => {
    const file = join(dir, 'odd.safetensors');
    const entry = (name: string, shape: number[], dtype: 'F32' | 'F16' = 'F32') => {
      return { name, dtype, shape, data: new Float32Array(shape.reduce((product, n) => product * n, 1)) };
    };
    const entries = [0, 1, 2, 5].map((n) => entry(`net.layers.${n}.w`, [2, 3]));
    await writeSafetensors(file, [...entries, entry('net.layers.3.w', [4], 'F16'), entry('net.0.w', [1])], {
      by: 'hand',
    });
    const { stdout, exitCode } = await runCli('weights', 'inspect', file);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('layout: unknown');
    expect(stdout).toContain('metadata: by hand');
    expect(stdout).toMatch(/net\.layers\.\*\.w +0-2,5 +F32 +\[2, 3\]/);
    expect(stdout).toMatch(/net\.layers\.\*\.w +3 +F16 +\[4\]/);
    expect(stdout).toMatch(/net\.0\.w +F32 +\[1\]/);
  });

  it('names the file that is no weights', async () => {
    expect(await runCli('weights', 'inspect', join(dir, 'absent'))).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('absent'),
    });
  });
});
