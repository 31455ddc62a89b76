import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../../src/data/tokenizer.js';
import { PUBLISHED_MODELS } from '../../../src/model/random-weights/catalog.js';
import {
  type RandomCheckpointOptions,
  writeRandomCheckpoint,
} from '../../../src/model/random-weights/write-random-checkpoint.js';
import { openSafetensors } from '../../../src/model/weights/safetensors.js';
import { runCli } from '../../support/run-cli.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mimic-random-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function write(name: string, options: Partial<RandomCheckpointOptions> = {}) {
  const out = join(folder, name);
  await writeRandomCheckpoint({ like: 'internvl2.5-8b', scale: 'tiny', out, ...options });
  return out;
}

/** All tensors of a folder, whatever the files. */
async function read(dir: string): Promise<Map<string, Float32Array>> {
  const tensors = new Map<string, Float32Array>();
  for (const name of (await readdir(dir)).filter((file) => file.endsWith('.safetensors'))) {
    const file = await openSafetensors(join(dir, name));
    for (const tensor of file.tensors.keys()) tensors.set(tensor, await file.readFloat32(tensor));
    await file.close();
  }
  return tensors;
}

const json = async (dir: string, name: string): Promise<unknown> => JSON.parse(await readFile(join(dir, name), 'utf8'));

describe('writeRandomCheckpoint', () => {
  it.each(PUBLISHED_MODELS)('%s: the folder of a published model', async (like) => {
    const out = await write('a', { like });
    const tensors = await read(out);
    expect(tensors.size).toBeGreaterThan(40);
    for (const [name, values] of tensors) {
      expect(values.every(Number.isFinite), name).toBe(true);
      expect(new Set(values).size, name).toBeGreaterThan(1);
    }
    const files = await readdir(out);
    expect(files).toEqual(expect.arrayContaining(['config.json', 'preprocessor_config.json']));
    expect(files.includes('tokenizer.json')).toBe(like.startsWith('internvl'));
  });

  it('gives the same numbers whatever the size of the files', async () => {
    const whole = await write('whole');
    const split = await write('split', { shardBytes: 40_000 });
    expect(await read(split)).toEqual(await read(whole));
    const index = await json(split, 'model.safetensors.index.json');
    expect(index).toMatchObject({
      metadata: { total_size: 185_984 },
      weight_map: { 'mlp1.3.bias': 'model-00006-of-00006.safetensors' },
    });
    expect((await readdir(split)).filter((name) => name.endsWith('.safetensors'))).toHaveLength(6);
  });

  it('gives other numbers for another seed', async () => {
    const [zero, again, one] = [await write('0'), await write('again'), await write('1', { seed: 1 })];
    expect(await read(again)).toEqual(await read(zero));
    const name = 'mlp1.1.weight';
    expect((await read(one)).get(name)).not.toEqual((await read(zero)).get(name));
  });

  it('holds the same model in both layouts', async () => {
    const own = await read(await write('own'));
    const hf = await read(await write('hf', { layout: 'hf' }));
    const qkv = own.get('vision_model.encoder.layers.1.attn.qkv.weight');
    const parts = ['q', 'k', 'v'].map((x) => hf.get(`vision_tower.encoder.layer.1.attention.${x}_proj.weight`) ?? []);
    expect(parts.flatMap((part) => [...part])).toEqual([...(qkv ?? [])]);
    expect(hf.get('language_model.lm_head.weight')).toEqual(own.get('language_model.output.weight'));
    // Two groups of two query heads, a key and a value head, of 8 rows each; the second key head is rows 48 to 56.
    const wqkv = own.get('language_model.model.layers.0.attention.wqkv.weight');
    const keys = hf.get('language_model.model.layers.0.self_attn.k_proj.weight');
    expect(keys?.subarray(8 * 32)).toEqual(wqkv?.subarray(48 * 32, 56 * 32));
  });

  it('writes fp32 where asked to', async () => {
    const out = await write('f', { dtype: 'fp32' });
    const file = await openSafetensors(join(out, 'model.safetensors'));
    expect(file.tensors.get('mlp1.1.weight')?.dtype).toBe('F32');
    await file.close();
    expect(await json(out, 'config.json')).toMatchObject({ torch_dtype: 'float32' });
  });

  it.each([
    ['internvl2.5-8b', '<|im_end|>', 313 - 2 - 2],
    ['internvl2.5-1b', '<|im_end|>', 320 - 31 + 2],
  ] as const)('%s: the byte tokenizer has the special tokens in their places', async (like, name, id) => {
    const out = await write('t', { like });
    const tokenizer = await loadTokenizer(out);
    expect(tokenizer.special(name)).toBe(id);
    expect(tokenizer.special('<IMG_CONTEXT>')).toBe(320 - 7);
    expect(tokenizer.vocabSize).toBe(320);
    expect(tokenizer.decode(tokenizer.encode('Which title? 书生'))).toBe('Which title? 书生');
    expect(tokenizer.encode('A')).toHaveLength(1);
  });

  it('copies a tokenizer that it is given', async () => {
    const first = await write('first');
    const file = join(folder, 'tokenizer.json');
    await writeFile(
      file,
      (await readFile(join(first, 'tokenizer.json'), 'utf8')).replace('"version": "1.0"', '"version": "9"'),
    );
    expect(await json(await write('copy', { tokenizer: file }), 'tokenizer.json')).toMatchObject({ version: '9' });
    await expect(write('none', { tokenizer: join(folder, 'absent') })).rejects.toMatchObject({
      code: 'E_TOKENIZER_SOURCE',
    });
    expect(await readdir(join(folder, 'none'))).toEqual([]);
  });

  it('writes into no folder that holds something', async () => {
    const out = await write('used');
    await expect(write('used')).rejects.toMatchObject({
      code: 'E_OUT_NOT_EMPTY',
      message: expect.stringContaining(out),
    });
  });

  it('refuses a layout that was never published', async () => {
    const wrong = write('w', { like: 'timesformer-hr', layout: 'opengvlab' });
    await expect(wrong).rejects.toMatchObject({ code: 'E_LAYOUT_ABSENT' });
  });
});

describe('mimic weights random', () => {
  it('says what it wrote', async () => {
    const out = join(folder, 'cli');
    const flags = ['--like', 'internvl2.5-1b', '--scale', 'tiny', '--out', out];
    const { stdout, exitCode } = await runCli('weights', 'random', ...flags, '--json');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ out, parameters: 93_120, totalBytes: 186_240 });
  });
});
