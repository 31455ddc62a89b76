/** Adapters that peft trained (tools/adapters/make_adapters.py, tools/parity) against the logits PyTorch gave with them. */
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/base/package-root.js';
import { buildWordTokenizerJson } from '../../src/data/word-tokenizer.js';
import { loadModelFolder } from '../../src/model/load.js';
import { openSafetensors } from '../../src/model/weights/safetensors.js';
import { CPU, useBackend } from '../support/backends.js';
import { runCli } from '../support/run-cli.js';

const ASSETS = join(packageRoot(), 'test', 'adapters', 'assets');
const GOLDENS = join(packageRoot(), 'test', 'parity', 'goldens');

interface Case {
  readonly name: string;
  readonly adapter: string;
  readonly logits: string;
  readonly base: 'internlm2' | 'qwen2';
  readonly rank: number;
  readonly targets: readonly string[];
}

const trained = (name: string, base: Case['base'], rank: number, targets: readonly string[]): Case => {
  const adapter = join(ASSETS, name);
  return { name, adapter, logits: join(adapter, 'logits.safetensors'), base, rank, targets };
};
const drawn = (name: string): Case => {
  const shared = { base: 'internlm2', rank: 4, targets: ['wqkv', 'wo', 'w1', 'w3', 'w2'] } as const;
  return {
    name,
    adapter: join(GOLDENS, 'adapters', name),
    logits: join(GOLDENS, 'adapter-logits.safetensors'),
    ...shared,
  };
};

const CASES: readonly Case[] = [
  trained('lm', 'internlm2', 3, ['wqkv', 'wo']),
  // Ranks 4, 3 and 2 with scales of their own, and a projector saved whole.
  trained('whole-patterns', 'internlm2', 4, ['wqkv', 'wo', 'w1']),
  trained('lm-one-layer', 'internlm2', 2, ['wqkv']),
  // q, k and v have an A of rank 2 each: one adapter of rank 6 on our fused linear.
  trained('hf-llama', 'internlm2', 6, ['wqkv', 'wo']),
  trained('hf-llama-qv', 'internlm2', 6, ['wqkv']),
  trained('hf-qwen2', 'qwen2', 3, ['q_proj', 'v_proj', 'down_proj']),
  drawn('on-language-model'),
  drawn('on-whole-model'),
  drawn('in-model'),
];

describe('adapters of peft', () => {
  useBackend(CPU);
  let dir: string;
  const baseOf = (family: string) => join(dir, family);
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'peft-'));
    for (const family of ['internlm2', 'qwen2']) {
      cpSync(join(GOLDENS, `internvl2_5-${family}`), baseOf(family), { recursive: true });
      writeFileSync(join(baseOf(family), 'tokenizer.json'), JSON.stringify(buildWordTokenizerJson(['a b c'])));
    }
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  async function logitsOf(folder: string, ids: Int32Array, length: number): Promise<Float32Array> {
    const { model } = await loadModelFolder(folder);
    const logits = tf.tidy(() => {
      const hidden = model.decode(model.embed(ids, ids.length / length, length, null));
      return model.logits(tf.reshape(hidden, [ids.length, -1])).dataSync<'float32'>();
    });
    model.dispose();
    return logits;
  }

  it.each(CASES)(
    '$name imports, and gives the logits of PyTorch',
    async ({ name, adapter, logits, base, rank, targets }) => {
      const out = join(dir, `from-${name}`);
      const result = await runCli(
        ...['weights', 'import-peft', '--adapter', adapter, '--base', baseOf(base), '--out', out, '--json'],
      );
      expect(result).toMatchObject({ exitCode: 0 });
      expect(JSON.parse(result.stdout)).toMatchObject({ rank, targets });
      const golden = await openSafetensors(logits);
      const ids = Int32Array.from((await golden.read('ids')) as Int32Array);
      const expected = await golden.readFloat32('logits');
      await golden.close();
      const got = await logitsOf(out, ids, golden.tensors.get('ids')?.shape[1] ?? 1);
      // Claimed 1e-4, measured 9.1e-6 at most, beside logits up to 10.
      expect(Math.max(...got.map((value, i) => Math.abs(value - (expected[i] ?? 0))))).toBeLessThan(1e-4);
    },
  );

  it.each([
    ['lm', 'lm', 'lm'],
    ['hf-qwen2', 'hf-qwen2', 'hf'],
    ['on-whole-model', 'on-whole-model', 'whole'],
  ])('%s exported again is the file that peft wrote', async (name, from, layout) => {
    const out = join(dir, `again-${name}`);
    const folder = join(dir, `from-${from}`);
    const result = await runCli('weights', 'export-peft', '--checkpoint', folder, '--out', out, '--layout', layout);
    expect(result).toMatchObject({ exitCode: 0 });
    const original = CASES.find((each) => each.name === name)?.adapter ?? '';
    const [ours, theirs] = await Promise.all(
      [out, original].map((each) => openSafetensors(join(each, 'adapter_model.safetensors'))),
    );
    if (ours === undefined || theirs === undefined) throw new Error('two files');
    expect([...ours.tensors.keys()].sort()).toEqual([...theirs.tensors.keys()].sort());
    for (const tensor of ours.tensors.keys()) {
      expect(await ours.readFloat32(tensor)).toEqual(await theirs.readFloat32(tensor));
    }
    await Promise.all([ours.close(), theirs.close()]);
    const config = (each: string) => JSON.parse(readFileSync(join(each, 'adapter_config.json'), 'utf8'));
    const { r, lora_alpha, lora_dropout, use_rslora, bias, fan_in_fan_out, peft_type } = config(original);
    expect(config(out)).toMatchObject({ r, lora_alpha, lora_dropout, use_rslora, bias, fan_in_fan_out, peft_type });
  });

  it('refuse what would not compute the same', async () => {
    const changed = async (change: object, file = 'adapter_config.json') => {
      const adapter = mkdtempSync(join(dir, 'changed-'));
      for (const each of ['adapter_config.json', 'adapter_model.safetensors']) {
        copyFileSync(join(ASSETS, 'lm', each), join(adapter, each));
      }
      const json = JSON.parse(readFileSync(join(adapter, file), 'utf8'));
      writeFileSync(join(adapter, file), JSON.stringify({ ...json, ...change }));
      const { exitCode, stderr } = await runCli(
        ...['weights', 'import-peft', '--adapter', adapter, '--base', baseOf('internlm2'), '--out', join(dir, 'none')],
      );
      return [exitCode, /E_\w+/.exec(stderr)?.[0]];
    };
    expect(await changed({ use_dora: true })).toEqual([2, 'E_ADAPTER_UNSUPPORTED']);
    expect(await changed({ bias: 'lora_only' })).toEqual([2, 'E_ADAPTER_UNSUPPORTED']);
    expect(await changed({ init_lora_weights: 'pissa' })).toEqual([2, 'E_ADAPTER_UNSUPPORTED']);
    expect(await changed({ an_option_of_2027: { rate: 2 } })).toEqual([2, 'E_ADAPTER_UNSUPPORTED']);
    expect(await changed({ an_option_of_2027: null })).toEqual([0, undefined]);
    rmSync(join(dir, 'none'), { recursive: true });
    expect(await changed({ r: 5 })).toEqual([2, 'E_ADAPTER_MISMATCH']);
    expect(await changed({ rank_pattern: { '(a+)+b': 3 } })).toEqual([2, 'E_ADAPTER_CONFIG']);
    expect(await changed({ alpha_pattern: { '(': 3 } })).toEqual([2, 'E_ADAPTER_CONFIG']);
    expect(await changed({ peft_type: 'IA3' })).toEqual([2, 'E_ADAPTER_CONFIG']);
  });

  it('refuse another base by the names that have no place in it', async () => {
    const result = await runCli(
      ...[
        'weights',
        'import-peft',
        '--adapter',
        join(ASSETS, 'lm'),
        '--base',
        baseOf('qwen2'),
        '--out',
        join(dir, 'none'),
      ],
    );
    expect(result).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/E_ADAPTER_MISMATCH[\s\S]*layers\.0\.attention\.wqkv/),
    });
  });
});
