import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/base/package-root.js';
import { loadWeightsFrom } from '../../src/model/checkpoints/load-weights.js';
import { planFolder } from '../../src/model/checkpoints/model-folders.js';
import { MimicChatModel } from '../../src/model/mimic-chat.js';
import { openWeights } from '../../src/model/weights/open-weights.js';
import { CPU, useBackend } from '../support/backends.js';
import { runCli } from '../support/run-cli.js';
import { writeTinyCheckpoint } from './tiny-checkpoint.js';

const GOLDENS = join(packageRoot(), 'test', 'parity', 'goldens');

/** Every tensor's dtype, shape and bytes. */
async function contents(path: string): Promise<Record<string, string>> {
  const source = await openWeights(path);
  const found: Record<string, string> = {};
  for (const { name, dtype, shape, byteLength } of source.tensors.values()) {
    const bytes = new Uint8Array(byteLength);
    await source.readInto(name, bytes, 0);
    found[name] = `${dtype} [${shape}] ${Buffer.from(bytes).toString('base64')}`;
  }
  await source.close();
  return found;
}

describe('mimic weights convert', () => {
  useBackend(CPU);
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'convert-'));
  });
  afterAll(() => rmSync(dir, { recursive: true }));
  const convert = (from: string, out: string, ...flags: string[]) =>
    runCli('weights', 'convert', '--from', from, '--out', join(dir, out), ...flags);

  it.each([
    ['internvl2_5-internlm2-hf', 'opengvlab', 'internvl2_5-internlm2'],
    ['internvl2_5-qwen2-hf-old', 'opengvlab', 'internvl2_5-qwen2'],
    ['internvl2_5-qwen2-hf-new', 'opengvlab', 'internvl2_5-qwen2'],
    ['internvl2_5-internlm2', 'hf', 'internvl2_5-internlm2-hf'],
    ['internvl2_5-qwen2', 'hf', 'internvl2_5-qwen2-hf-old'],
  ])('%s to %s is what transformers has for it, byte by byte', async (from, to, expected) => {
    const out = `${from}-to-${to}`;
    expect(await convert(join(GOLDENS, from), out, '--to', to)).toMatchObject({ exitCode: 0 });
    expect(await contents(join(dir, out))).toEqual(await contents(join(GOLDENS, expected)));
    // The configuration that goes with the names describes the same model.
    const [got, wanted] = [await planFolder(join(dir, out)), await planFolder(join(GOLDENS, expected))];
    expect(got.model).toEqual(wanted.model);
  });

  it('rewrites a TimeSformer pickle as safetensors, with its configuration', async () => {
    expect(await convert(join(GOLDENS, 'timesformer-bin'), 'timesformer')).toMatchObject({ exitCode: 0 });
    const expected = await contents(join(GOLDENS, 'timesformer'));
    for (const name of ['classifier.weight', 'classifier.bias']) delete expected[name];
    expect(await contents(join(dir, 'timesformer'))).toEqual(expected);
    expect(readdirSync(join(dir, 'timesformer')).sort()).toEqual([
      ...['config.json', 'model.safetensors', 'preprocessor_config.json'],
    ]);
    const alone = await convert(join(GOLDENS, 'timesformer-bin', 'pytorch_model.bin'), 'alone', '--dtype', 'bf16');
    expect(alone).toMatchObject({ exitCode: 0 });
    expect(Object.values(await contents(join(dir, 'alone'))).every((text) => text.startsWith('BF16'))).toBe(true);
    const wrong = await convert(join(GOLDENS, 'timesformer-bin'), 'none', '--to', 'opengvlab');
    expect(wrong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('E_CONVERT_TARGET') });
  });

  it('writes a checkpoint and its base as one folder of ours, LoRA beside its weights', async () => {
    const tiny = await writeTinyCheckpoint(join(dir, 'tiny'));
    expect(await convert(tiny.checkpoint, 'one', '--to', 'mimic')).toMatchObject({ exitCode: 0 });
    expect(await contents(join(dir, 'one'))).toEqual({
      ...(await contents(tiny.base)),
      ...(await contents(tiny.checkpoint)),
    });
    expect(readdirSync(join(dir, 'one')).sort()).toEqual([
      ...['config.yaml', 'input.json', 'model.safetensors', 'tokenizer.json'],
    ]);
    // What a run does with its `base`: training goes on from the adapter.
    const { model: config } = await planFolder(tiny.checkpoint);
    const model = new MimicChatModel(config);
    await loadWeightsFrom(join(dir, 'one'), model, { label: 'base', isOwn: true });
    const b = model.parameters.get('language_model.model.layers.0.attention.wqkv.lora_B.weight');
    expect(Math.max(...(b?.value.dataSync() ?? []))).toBeGreaterThan(0.1);
    model.dispose();
    const refused = await convert(tiny.checkpoint, 'none', '--to', 'opengvlab');
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/E_CONVERT_LORA[\s\S]*weights merge/) });
    expect(readdirSync(dir)).not.toContain('none');
  });

  it('says what it cannot read', async () => {
    writeFileSync(join(dir, 'text.bin'), 'not weights');
    expect(await convert(join(dir, 'text.bin'), 'none')).toMatchObject({ exitCode: 2 });
    expect(await convert(join(dir, 'absent'), 'none')).toMatchObject({ exitCode: 2 });
  });
});
