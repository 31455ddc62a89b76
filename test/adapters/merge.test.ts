import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { mergeCheckpoint } from '../../src/adapters/merge.js';
import { MimicChat } from '../../src/infer/mimic-chat.js';
import { openWeights } from '../../src/model/weights/open-weights.js';
import { openSafetensors, writeSafetensors } from '../../src/model/weights/safetensors.js';
import { makeClip } from '../infer/tiny-folder.js';
import { CPU, useBackend } from '../support/backends.js';
import { runCli } from '../support/run-cli.js';
import { type TinyFolders, writeTinyCheckpoint } from './tiny-checkpoint.js';

/** Gives two words of a tokenizer.json each other's id. */
function swapIds(path: string): void {
  const json = JSON.parse(readFileSync(path, 'utf8'));
  const { vocab } = json.model;
  [vocab['cat'], vocab['dog']] = [vocab['dog'], vocab['cat']];
  writeFileSync(path, JSON.stringify(json));
}

describe('mimic weights merge', () => {
  useBackend(CPU);
  let dir: string;
  let tiny: TinyFolders;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'merge-'));
    tiny = await writeTinyCheckpoint(dir, { lora: { rank: 3, alpha: 6, targets: ['wqkv', 'w2'] } });
    makeClip(join(dir, 'clip.mp4'), 1);
    writeFileSync(join(dir, 'prompts.txt'), 'title ?\n\n red cat so nice\n');
    writeFileSync(join(tiny.base, 'config.json'), JSON.stringify({ model_type: 'internvl_chat', use_llm_lora: 16 }));
    writeFileSync(join(tiny.base, 'generation_config.json'), '{}');
  });
  afterAll(() => rmSync(dir, { recursive: true }));
  const merge = (out: string, ...flags: string[]) =>
    runCli('weights', 'merge', '--checkpoint', tiny.checkpoint, '--out', join(dir, out), ...flags);

  it('adds scale B A to each weight and to nothing else', async () => {
    expect(await merge('merged')).toMatchObject({ exitCode: 0 });
    const [base, own, merged] = await Promise.all(
      [tiny.base, tiny.checkpoint, join(dir, 'merged')].map((folder) =>
        openSafetensors(join(folder, 'model.safetensors')),
      ),
    );
    if (base === undefined || own === undefined || merged === undefined) throw new Error('three files');
    for (const name of merged.tensors.keys()) {
      const got = await merged.readFloat32(name);
      const before = await (own.tensors.has(name) ? own : base).readFloat32(name);
      const linear = name.replace(/\.weight$/, '');
      if (!own.tensors.has(`${linear}.lora_A.weight`)) {
        expect(got).toEqual(before);
        continue;
      }
      const [a, b] = [
        await own.readFloat32(`${linear}.lora_A.weight`),
        await own.readFloat32(`${linear}.lora_B.weight`),
      ];
      const inputs = a.length / 3;
      const expected = before.map((weight, i) => {
        const [o, column] = [Math.floor(i / inputs), i % inputs];
        const update = [0, 1, 2].reduce((sum, r) => sum + (b[o * 3 + r] ?? 0) * (a[r * inputs + column] ?? 0), 0);
        return weight + (6 / 3) * update;
      });
      // The same sum in doubles, rounded once: measured 0.
      expect(Math.max(...got.map((value, i) => Math.abs(value - (expected[i] ?? 0))))).toBeLessThan(2e-7);
      expect(got).not.toEqual(before);
    }
    await Promise.all([base, own, merged].map((file) => file.close()));
  });

  it('leaves one folder that needs no base and has no LoRA', async () => {
    rmSync(join(dir, 'alone'), { recursive: true, force: true });
    cpSync(join(dir, 'merged'), join(dir, 'alone'), { recursive: true });
    const config = parse(readFileSync(join(dir, 'alone', 'config.yaml'), 'utf8'));
    expect(config).toMatchObject({
      model: { lora: { rank: 0 } },
      prompt: { template: 'plain' },
      train: { maxLength: 200 },
    });
    expect(config).not.toHaveProperty('base');
    expect(readdirSync(join(dir, 'alone')).sort()).toEqual([
      ...['config.json', 'config.yaml', 'generation_config.json', 'input.json', 'model.safetensors', 'tokenizer.json'],
    ]);
    expect(JSON.parse(readFileSync(join(dir, 'alone', 'config.json'), 'utf8')).use_llm_lora).toBe(0);
    const chat = await MimicChat.load(join(dir, 'alone'));
    expect(chat.parts.model.parameters.list().some(({ part }) => part === 'lora')).toBe(false);
    chat.dispose();
  });

  it('is not used with another tokenizer than it was trained with', async () => {
    const swapped = join(dir, 'swapped');
    cpSync(join(dir, 'merged'), swapped, { recursive: true });
    swapIds(join(swapped, 'tokenizer.json'));
    const asked = ['--video', join(dir, 'clip.mp4'), '--question', 'title ?', '--options', 'red cat', 'blue dog'];
    const result = await runCli('choose', '--checkpoint', swapped, ...asked);
    expect(result).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/E_INPUT_DRIFT[\s\S]*tokenizer\.sha256: "/),
    });
  });

  it('verifies text and video on base with adapter and on the merged model', async () => {
    const clip = join(dir, 'clip.mp4');
    const result = await merge(
      'verified',
      '--verify',
      '--video',
      clip,
      '--prompts',
      join(dir, 'prompts.txt'),
      '--json',
    );
    expect(result).toMatchObject({ exitCode: 0 });
    const { drift, merged } = JSON.parse(result.stdout);
    expect(merged).toBe(4);
    // Two prompts without and with the video, each at nine positions.
    expect(drift).toMatchObject({ prompts: 4, positions: 36, top1Agreement: 1, tolerance: 1e-4 });
    // Measured 3.5e-7 of the largest logit.
    expect(drift.maxAbsDifference).toBeLessThan(5e-6 * drift.maxAbsLogit);
    expect(drift.maxAbsDifference).toBeGreaterThan(0);
    // What a merge that forgot the adapter would show.
    expect(drift.adapterEffect).toBeGreaterThan(0.1 * drift.maxAbsLogit);
  });

  it('removes what it wrote when the logits drift', async () => {
    const refused = await merge('drifted', '--dtype', 'bf16', '--verify', '--tolerance', '1e-5');
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('E_MERGE_DRIFT') });
    expect(readdirSync(dir).filter((name) => name.includes('drifted'))).toEqual([]);
    expect(await merge('rounded', '--dtype', 'bf16', '--verify')).toMatchObject({ exitCode: 0 });
    const source = await openWeights(join(dir, 'rounded'));
    expect(new Set([...source.tensors.values()].map(({ dtype }) => dtype))).toEqual(new Set(['BF16']));
    await source.close();
  });

  it('refuses a merge in which the adapter got lost', async () => {
    const out = join(dir, 'lost');
    const { checkDrift, readPrompts } = await import('../../src/infer/drift.js');
    await mergeCheckpoint({ checkpoint: tiny.checkpoint, out });
    const whole = await openSafetensors(join(out, 'model.safetensors'));
    const base = await openSafetensors(join(tiny.base, 'model.safetensors'));
    const entries = [...whole.tensors].map(([name, { dtype, shape }]) => {
      return { name, dtype, shape, data: () => (base.tensors.has(name) ? base : whole).read(name) };
    });
    await writeSafetensors(join(out, 'changed.safetensors'), entries);
    await Promise.all([whole.close(), base.close()]);
    renameSync(join(out, 'changed.safetensors'), join(out, 'model.safetensors'));
    const request = { prompts: (await readPrompts(undefined)).slice(0, 1), tolerance: 100 };
    await expect(checkDrift(tiny.checkpoint, out, request, {})).rejects.toMatchObject({
      code: 'E_MERGE_DRIFT',
      message: expect.stringContaining('the adapter got lost'),
    });
  });

  it('splits into shards behind an index, and loads them', async () => {
    const out = join(dir, 'sharded');
    const { files } = await mergeCheckpoint({ checkpoint: tiny.checkpoint, out, maxShardBytes: 9000 });
    expect(files.length).toBeGreaterThan(2);
    expect(files[0]).toMatch(/^model-00001-of-0000\d\.safetensors$/);
    const [sharded, whole] = [await openWeights(out), await openWeights(join(dir, 'merged'))];
    expect([...sharded.tensors.keys()].sort()).toEqual([...whole.tensors.keys()].sort());
    await Promise.all([sharded.close(), whole.close()]);
    const chat = await MimicChat.load(out);
    chat.dispose();
  });

  it('names every parameter that is in no file, and writes nothing', async () => {
    const broken = join(dir, 'broken');
    cpSync(tiny.checkpoint, broken, { recursive: true });
    const file = await openSafetensors(join(tiny.checkpoint, 'model.safetensors'));
    const kept = [...file.tensors].filter(([name]) => !name.startsWith('visual_positions'));
    const entries = kept.map(([name, { dtype, shape }]) => ({ name, dtype, shape, data: () => file.read(name) }));
    await writeSafetensors(join(broken, 'model.safetensors'), entries);
    await file.close();
    const result = await runCli('weights', 'merge', '--checkpoint', broken, '--out', join(dir, 'none'));
    expect(result).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('visual_positions.modality') });
    expect(existsSync(join(dir, 'none'))).toBe(false);
  });

  it('refuses a tokenizer that is not the one of training', async () => {
    const moved = join(dir, 'moved');
    cpSync(tiny.checkpoint, moved, { recursive: true });
    copyFileSync(join(dir, 'merged', 'input.json'), join(moved, 'input.json'));
    copyFileSync(join(tiny.base, 'tokenizer.json'), join(moved, 'tokenizer.json'));
    swapIds(join(moved, 'tokenizer.json'));
    const result = await runCli('weights', 'merge', '--checkpoint', moved, '--out', join(dir, 'none'));
    expect(result).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/E_INPUT_DRIFT[\s\S]*tokenizer\.sha256: "/),
    });
    expect(existsSync(join(dir, 'none'))).toBe(false);
  });
});
