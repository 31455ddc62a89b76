import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../../../src/base/errors.js';
import { readBaseConfig } from '../../../src/model/checkpoints/base-config/read-base-config.js';
import { ModelSchema } from '../../../src/model/config.js';
import { MimicChatModel } from '../../../src/model/mimic-chat.js';
import { temporaryFolder } from '../../train/temporary-folder.js';
import { hfJson, openGvlabJson, TIMESFORMER_JSON, writeFolder } from './tiny-published.js';

const folder = temporaryFolder();
let count = 0;
const write = (json: object, preprocessor?: object) =>
  writeFolder(join(folder, String(count++)), {
    json: { 'config.json': json, ...(preprocessor === undefined ? {} : { 'preprocessor_config.json': preprocessor }) },
  });

const problemsOf = async (json: object, preprocessor?: object): Promise<string[]> => {
  const error: unknown = await readBaseConfig(await write(json, preprocessor)).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof CheckpointError)) return [];
  expect(error.code).toBe('E_BASE_CONFIG');
  return error.message.split('\n  ').slice(1);
};

/** A copy in which dotted keys have other values; undefined removes one. */
function changed(json: object, changes: Readonly<Record<string, unknown>>): object {
  const copy = structuredClone(json);
  for (const [path, value] of Object.entries(changes)) {
    const keys = path.split('.');
    const last = keys.pop() ?? '';
    let at: Record<string, unknown> = copy as Record<string, unknown>;
    for (const key of keys) at = at[key] as Record<string, unknown>;
    if (value === undefined) delete at[last];
    else at[last] = value;
  }
  return copy;
}

const VISION_300M = {
  ...{
    architectures: ['InternVisionModel'],
    attention_dropout: 0.0,
    drop_path_rate: 0.0,
    dropout: 0.0,
    hidden_act: 'gelu',
  },
  ...{ hidden_size: 1024, image_size: 448, initializer_factor: 1.0, initializer_range: 0.02, intermediate_size: 4096 },
  ...{ layer_norm_eps: 1e-6, model_type: 'intern_vit_6b', norm_type: 'layer_norm', num_attention_heads: 16 },
  ...{ num_channels: 3, num_hidden_layers: 24, patch_size: 14, qk_normalization: false, qkv_bias: true },
};
const WRAPPER = {
  ...{ architectures: ['InternVLChatModel'], model_type: 'internvl_chat', downsample_ratio: 0.5, ps_version: 'v2' },
  ...{
    select_layer: -1,
    template: 'internvl2_5',
    force_image_size: 448,
    dynamic_image_size: true,
    use_thumbnail: true,
  },
  ...{ min_dynamic_patch: 1, max_dynamic_patch: 12, use_backbone_lora: 0, use_llm_lora: 0, torch_dtype: 'bfloat16' },
};
const INTERNLM2 = {
  ...{ architectures: ['InternLM2ForCausalLM'], model_type: 'internlm2', bias: false, hidden_act: 'silu' },
  ...{ rms_norm_eps: 1e-5, rope_theta: 1000000, rope_scaling: { factor: 2.0, type: 'dynamic' }, vocab_size: 92553 },
  ...{ max_position_embeddings: 32768, tie_word_embeddings: false, num_key_value_heads: 8, pretraining_tp: 1 },
};
/** The published files' values that decide something. */
const PUBLISHED = {
  '8B': { ...INTERNLM2, hidden_size: 4096, intermediate_size: 14336, num_attention_heads: 32, num_hidden_layers: 32 },
  '2B': { ...INTERNLM2, hidden_size: 2048, intermediate_size: 8192, num_attention_heads: 16, num_hidden_layers: 24 },
  '1B': {
    ...{ architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2', hidden_act: 'silu', hidden_size: 896 },
    ...{ intermediate_size: 4864, num_attention_heads: 14, num_hidden_layers: 24, num_key_value_heads: 2 },
    ...{ rms_norm_eps: 1e-6, rope_theta: 1000000.0, vocab_size: 151674, max_position_embeddings: 32768 },
    ...{ tie_word_embeddings: false, use_sliding_window: false, sliding_window: 32768, max_window_layers: 21 },
  },
};

async function partSizes(language: object): Promise<Record<string, number>> {
  const config = await readBaseConfig(await write({ ...WRAPPER, vision_config: VISION_300M, llm_config: language }));
  const model = ModelSchema.parse({ ...config?.model, lora: { rank: 0 }, ablate: 'no-temporal-encoder' });
  const { parameters } = new MimicChatModel(model);
  return Object.fromEntries(parameters.countByPart().map(({ part, total }) => [part, total]));
}

describe('readBaseConfig', () => {
  it('gives InternVL2.5-8B, -2B and -1B their published parameter counts', async () => {
    // The 8B's three sum to the metadata.total_size of its index, in bf16.
    expect(await partSizes(PUBLISHED['8B'])).toMatchObject({
      'spatial encoder': 304_012_288,
      'spatial projector': 33_570_816,
      'language model': 7_737_782_272,
    });
    const bytesOf = async (language: object) => {
      const sizes = await partSizes(language);
      const parts = ['spatial encoder', 'spatial projector', 'language model'] as const;
      return 2 * parts.reduce((sum, part) => sum + (sizes[part] ?? 0), 0);
    };
    expect(await bytesOf(PUBLISHED['8B'])).toBe(16_150_730_752);
    expect(await bytesOf(PUBLISHED['1B'])).toBe(1_876_386_048);
    // By hand: 24 layers of 2048 (4096 + 2048 + 3 x 8192 + 2), the last norm, and two tables of 92553 rows.
    expect((await partSizes(PUBLISHED['2B']))['language model']).toBe(
      24 * 2048 * (4096 + 2048 + 3 * 8192 + 2) + 2048 + 2 * 92553 * 2048,
    );
  });

  it('reads sizes, formulas and template of each kind of file', async () => {
    const published = await readBaseConfig(await write(openGvlabJson('qwen2')));
    expect(published).toMatchObject({
      kind: 'internvl',
      prompt: { template: 'internvl2_5' },
      model: {
        spatial: {
          imageSize: 8,
          patchSize: 2,
          hiddenSize: 8,
          intermediateSize: 12,
          numLayers: 2,
          numHeads: 2,
          normEps: 1e-6,
        },
        language: {
          family: 'qwen2',
          hiddenSize: 16,
          numHeads: 4,
          numKvHeads: 2,
          ropeTheta: 1000,
          normEps: 1e-6,
          maxPositions: 512,
        },
      },
    });
    const hf = await readBaseConfig(await write(hfJson('llama')));
    expect(hf?.model).toEqual((await readBaseConfig(await write(openGvlabJson('internlm2'))))?.model);
    const temporal = await readBaseConfig(
      await write(TIMESFORMER_JSON, { image_mean: [0.4, 0.5, 0.6], image_std: [0.1, 0.2, 0.3] }),
    );
    expect(temporal).toMatchObject({
      kind: 'timesformer',
      model: { temporal: { imageSize: 16, numFrames: 3, numHeads: 3, normEps: 1e-6 } },
      preprocessing: { temporal: { mean: [0.4, 0.5, 0.6], std: [0.1, 0.2, 0.3] } },
      notes: [],
    });
  });

  it('says where the normalisation comes from when there is no preprocessor_config.json', async () => {
    const config = await readBaseConfig(await write(TIMESFORMER_JSON));
    expect(config?.preprocessing.temporal).toMatchObject({ mean: [0.45, 0.45, 0.45], std: [0.225, 0.225, 0.225] });
    expect(config?.notes.join()).toContain("those of TimeSformer's code");
    expect(await problemsOf(TIMESFORMER_JSON, { do_normalize: true })).toEqual([
      'image_mean: got nothing, expected three numbers, one a channel',
      'image_std: got nothing, expected three numbers, one a channel',
    ]);
  });

  it('takes no default for an absent key, and names all that are absent', async () => {
    const keys = [
      'vision_config.hidden_size',
      'vision_config.norm_type',
      'llm_config.rope_theta',
      'llm_config.num_key_value_heads',
      'ps_version',
      'template',
    ];
    const problems = await problemsOf(
      changed(openGvlabJson('qwen2'), Object.fromEntries(keys.map((key) => [key, undefined]))),
    );
    expect(problems.map((line) => line.split(':')[0]).sort()).toEqual([...keys].sort());
    for (const line of problems) expect(line).toContain('got nothing');
    const temporal = await problemsOf(changed(TIMESFORMER_JSON, { num_frames: undefined, attention_type: undefined }));
    expect(temporal).toHaveLength(2);
  });

  it('refuses what the model does not compute', async () => {
    const cases: readonly [object, Readonly<Record<string, unknown>>, RegExp][] = [
      [openGvlabJson('qwen2'), { 'vision_config.norm_type': 'rms_norm' }, /norm_type: got "rms_norm".*6B encoder/],
      [openGvlabJson('qwen2'), { 'vision_config.qk_normalization': true }, /qk_normalization: got true.*6B/],
      [openGvlabJson('qwen2'), { 'vision_config.qkv_bias': false }, /qkv_bias: got false/],
      [openGvlabJson('qwen2'), { ps_version: 'v1' }, /ps_version: got "v1", expected "v2"/],
      [openGvlabJson('qwen2'), { select_layer: -4 }, /select_layer: got -4, expected -1/],
      [openGvlabJson('qwen2'), { downsample_ratio: 0.25 }, /downsample_ratio/],
      [openGvlabJson('qwen2'), { force_image_size: 16 }, /force_image_size: got 16, expected 8/],
      [openGvlabJson('qwen2'), { 'llm_config.model_type': 'qwen3' }, /model_type: got "qwen3", expected one of/],
      [openGvlabJson('qwen2'), { 'llm_config.head_dim': 8 }, /head_dim: got 8, expected 4/],
      [openGvlabJson('qwen2'), { 'llm_config.use_sliding_window': true }, /use_sliding_window/],
      [
        openGvlabJson('qwen2'),
        { 'llm_config.rope_scaling': { type: 'yarn', factor: 4 } },
        /rope_scaling\.type: got "yarn"/,
      ],
      [openGvlabJson('internlm2'), { 'llm_config.bias': true }, /llm_config\.bias: got true/],
      [openGvlabJson('internlm2'), { 'llm_config.hidden_act': 'gelu' }, /hidden_act/],
      [hfJson('llama'), { 'vision_config.use_qk_norm': true }, /use_qk_norm/],
      [hfJson('llama'), { 'vision_config.image_size': [8, 16] }, /image_size: got \[8,16\], expected one size/],
      [hfJson('llama'), { vision_feature_layer: -2 }, /vision_feature_layer/],
      [hfJson('llama'), { 'text_config.attention_bias': true }, /attention_bias/],
      [TIMESFORMER_JSON, { attention_type: 'space_only' }, /attention_type: got "space_only"/],
      [TIMESFORMER_JSON, { qkv_bias: false }, /qkv_bias/],
      [
        TIMESFORMER_JSON,
        { num_hidden_layers: 1e9 },
        /num_hidden_layers: got 1000000000, expected a whole number from 1 to 1000/,
      ],
    ];
    for (const [json, changes, expected] of cases) {
      const problems = await problemsOf(changed(json, changes));
      expect(problems, JSON.stringify(changes)).toHaveLength(1);
      expect(problems[0]).toMatch(expected);
    }
  });

  it('refuses other models and files that are no JSON object', async () => {
    await expect(readBaseConfig(await write({ model_type: 'llava' }))).rejects.toThrow('model_type: got "llava"');
    await expect(readBaseConfig(await write([1]))).rejects.toThrow('got no object');
  });
});
