import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { log } from '../../../src/base/logger.js';
import { loadModelFolder, loadWeights } from '../../../src/model/load.js';
import { MimicChatModel } from '../../../src/model/mimic-chat.js';
import { CPU, useBackend } from '../../support/backends.js';
import { checkLeaks } from '../../support/leak-check.js';
import { tinyConfig } from '../../support/tiny-model.js';
import { temporaryFolder } from '../../train/temporary-folder.js';
import {
  hfJson,
  INTERNVL_NAMES,
  type NamedValues,
  openGvlabJson,
  randomValues,
  TIMESFORMER_JSON,
  tinyInternvl,
  tinyTemporal,
  toInternvlHf,
  toTimesformerFb,
  writeFolder,
  writeSharded,
} from './tiny-published.js';

const folder = temporaryFolder();

function expectValues(model: MimicChatModel, expected: NamedValues): void {
  for (const [name, { data }] of expected) {
    expect(Array.from(model.parameters.get(name)?.value.dataSync() ?? []), name).toEqual(Array.from(data));
  }
}

describe('published layouts', () => {
  useBackend(CPU);
  checkLeaks();
  const level = log.level;
  beforeAll(() => {
    log.level = 'silent';
  });
  afterAll(() => {
    log.level = level;
  });

  for (const family of ['internlm2', 'qwen2'] as const) {
    it(`loads OpenGVLab's InternVL with ${family}, from shards`, async () => {
      const values = randomValues(tinyInternvl(family), INTERNVL_NAMES);
      const dir = await writeSharded(join(folder, `gvlab-${family}`), values, { 'config.json': openGvlabJson(family) });
      const { model, config, weightFiles } = await loadModelFolder(dir);
      expectValues(model, values);
      expect(model.config).toEqual({ ...tinyInternvl(family), lora: model.config.lora });
      expect(model.config.lora.rank).toBe(0);
      expect(config).toMatchObject({ prompt: { template: 'internvl2_5', layout: 'internvl' } });
      expect(weightFiles).toHaveLength(2);
      model.dispose();
    });

    for (const prefixes of ['old', 'new'] as const) {
      it(`loads -hf names with ${family}, ${prefixes} prefixes`, async () => {
        const values = randomValues(tinyInternvl(family), INTERNVL_NAMES);
        const dir = await writeFolder(join(folder, `hf-${family}-${prefixes}`), {
          weights: toInternvlHf(values, prefixes),
          json: { 'config.json': hfJson(family === 'qwen2' ? 'qwen2' : 'llama') },
        });
        const { model, config } = await loadModelFolder(dir);
        expectValues(model, values);
        expect(config).toMatchObject({ prompt: { template: 'internvl2_5', systemPrompt: '', layout: 'internvl' } });
        model.dispose();
      });
    }
  }

  it('takes the token embeddings for the head when the file has none, whatever config.json says', async () => {
    const values = randomValues(tinyInternvl('qwen2'), INTERNVL_NAMES);
    values.delete('language_model.lm_head.weight');
    const dir = await writeFolder(join(folder, 'tied'), {
      weights: values,
      json: { 'config.json': openGvlabJson('qwen2') },
    });
    const { model } = await loadModelFolder(dir);
    expect(model.config.language.tieWordEmbeddings).toBe(true);
    expectValues(model, values);
    model.dispose();
  });

  it("loads TimeSformer under Hugging Face's names, with and without timesformer., and under Facebook's", async () => {
    const temporal = tinyTemporal();
    const config = { ...tinyConfig({ spatial: { imageSize: 16, patchSize: 4 }, temporal }) };
    const values = randomValues(config, /^timesformer\./);
    const hf: NamedValues = new Map([...values, ['classifier.weight', { shape: [2, 12], data: new Float32Array(24) }]]);
    const bare: NamedValues = new Map(Array.from(values, ([name, value]) => [name.replace('timesformer.', ''), value]));
    for (const [name, weights] of Object.entries({ hf, bare, fb: toTimesformerFb(values) })) {
      const dir = await writeFolder(join(folder, `timesformer-${name}`), {
        weights,
        json: { 'config.json': TIMESFORMER_JSON },
      });
      const model = new MimicChatModel(config);
      expect((await loadWeights(model, dir)).length, name).toBe(values.size);
      expectValues(model, values);
      model.dispose();
    }
  });

  it('loads 16-bit values exactly', async () => {
    const values = randomValues(tinyInternvl('qwen2'), INTERNVL_NAMES);
    const { writeSafetensors } = await import('../../../src/model/weights/safetensors.js');
    const { float32ToBfloat16, float32ToFloat16 } = await import('../../../src/model/weights/half.js');
    const dir = await writeFolder(join(folder, 'half'), { json: { 'config.json': openGvlabJson('qwen2') } });
    await writeSafetensors(
      join(dir, 'model.safetensors'),
      Array.from(values, ([name, { shape, data }], i) =>
        i % 2 === 0
          ? { name, shape, dtype: 'BF16' as const, data: float32ToBfloat16(data) }
          : { name, shape, dtype: 'F16' as const, data: float32ToFloat16(data) },
      ),
    );
    const { model } = await loadModelFolder(dir);
    expectValues(model, values);
    model.dispose();
  });
});
