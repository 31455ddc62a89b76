import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PEFT_LAYOUTS } from '../../src/adapters/lora-names.js';
import { MimicChat } from '../../src/infer/mimic-chat.js';
import { openSafetensors } from '../../src/model/weights/safetensors.js';
import { CPU, useBackend } from '../support/backends.js';
import { runCli } from '../support/run-cli.js';
import { randomVideo } from '../support/tiny-model.js';
import { type TinyFolders, writeTinyCheckpoint } from './tiny-checkpoint.js';

async function contents(path: string): Promise<Record<string, number[]>> {
  const file = await openSafetensors(path);
  const values: Record<string, number[]> = {};
  for (const name of [...file.tensors.keys()].sort()) values[name] = Array.from(await file.readFloat32(name));
  await file.close();
  return values;
}

async function answers(dir: string): Promise<Float32Array[]> {
  const chat = await MimicChat.load(dir);
  const session = await chat.encode(randomVideo(chat.parts.model.config, 4));
  const logits = await session.promptLogits('title ?', { count: 3 });
  session.dispose();
  chat.dispose();
  return logits;
}

describe('mimic weights export-peft and import-peft', () => {
  useBackend(CPU);
  let dir: string;
  let tiny: TinyFolders;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'adapters-'));
    tiny = await writeTinyCheckpoint(dir, { lora: { rank: 3, alpha: 6, targets: ['wqkv', 'wo', 'w2'] } });
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it.each(PEFT_LAYOUTS)(
    'give the checkpoint back through layout %s, tensor by tensor and logit by logit',
    async (layout) => {
      const [adapter, back] = [join(dir, `adapter-${layout}`), join(dir, `back-${layout}`)];
      const exported = await runCli(
        ...['weights', 'export-peft', '--checkpoint', tiny.checkpoint, '--out', adapter, '--layout', layout, '--json'],
      );
      expect(exported).toMatchObject({ exitCode: 0, stderr: expect.not.stringContaining('error') });
      expect(JSON.parse(exported.stdout)).toMatchObject({ layout, rank: 3 });
      const imported = await runCli(
        ...['weights', 'import-peft', '--adapter', adapter, '--base', tiny.base, '--out', back, '--json'],
      );
      expect(imported.exitCode).toBe(0);
      expect(JSON.parse(imported.stdout)).toMatchObject({
        rank: 3,
        alpha: 6,
        targets: ['wqkv', 'wo', 'w2'],
        linears: 6,
      });
      // Exact: nothing but places changes.
      expect(await contents(join(back, 'model.safetensors'))).toEqual(
        await contents(join(tiny.checkpoint, 'model.safetensors')),
      );
      expect(await answers(back)).toEqual(await answers(tiny.checkpoint));
    },
  );

  it('names tensors as PEFT does', async () => {
    const names = async (layout: string) => {
      const file = await openSafetensors(join(dir, `adapter-${layout}`, 'adapter_model.safetensors'));
      await file.close();
      return [...file.tensors].map(([name, { shape }]) => `${name} [${shape}]`);
    };
    expect(await names('lm')).toContain('base_model.model.model.layers.1.attention.wqkv.lora_B.weight [32,3]');
    expect(await names('whole')).toContain(
      'base_model.model.language_model.model.layers.0.feed_forward.w2.lora_A.weight [3,20]',
    );
    const hf = await names('hf');
    const layer = 'base_model.model.model.language_model.layers.0';
    expect(hf).toContain(`${layer}.self_attn.q_proj.lora_B.weight [16,3]`);
    expect(hf).toContain(`${layer}.self_attn.v_proj.lora_B.weight [8,3]`);
    expect(hf).toContain(`${layer}.mlp.down_proj.lora_A.weight [3,20]`);
    expect(hf).toHaveLength(2 * 2 * 5);
  });

  it('writes all that decides the arithmetic, and a card', async () => {
    const folder = join(dir, 'adapter-hf');
    expect(readdirSync(folder).sort()).toEqual(
      [
        ...['README.md', 'adapter_config.json', 'adapter_model.safetensors', 'input.json'],
        ...['mimic_config.yaml', 'mimic_modules.safetensors', 'tokenizer.json'],
      ].sort(),
    );
    const config = JSON.parse(readFileSync(join(folder, 'adapter_config.json'), 'utf8'));
    expect(config).toMatchObject({ peft_type: 'LORA', r: 3, lora_alpha: 6, inference_mode: true, use_rslora: false });
    // PEFT matches the whole name: the vision tower has linears called q_proj too.
    const target = new RegExp(`^(?:${config.target_modules})$`);
    expect(target.test('model.language_model.layers.1.self_attn.q_proj')).toBe(true);
    expect(target.test('model.vision_tower.encoder.layer.1.attention.q_proj')).toBe(false);
    const card = readFileSync(join(folder, 'README.md'), 'utf8');
    expect(card).toMatch(/^---\nlibrary_name: peft\npipeline_tag: video-text-to-text\n/);
    expect(card).toContain('mimic_modules.safetensors');
  });

  it('refuse what they cannot keep', async () => {
    const noAdapter = await runCli('weights', 'export-peft', '--checkpoint', tiny.base, '--out', join(dir, 'x'));
    expect(noAdapter).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('E_NO_ADAPTER') });
    const used = await runCli('weights', 'export-peft', '--checkpoint', tiny.checkpoint, '--out', tiny.base);
    expect(used).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('E_OUT_EXISTS') });
    const absent = await runCli(
      'weights',
      'import-peft',
      '--adapter',
      tiny.base,
      '--base',
      tiny.base,
      '--out',
      join(dir, 'x'),
    );
    expect(absent).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('E_ADAPTER') });
    expect(readdirSync(dir)).not.toContain('x');
  });
});
