import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { log } from '../../../src/base/logger.js';
import { loadModelFolder, type ModelFolder } from '../../../src/model/load.js';
import { CPU, useBackend } from '../../support/backends.js';
import { checkLeaks } from '../../support/leak-check.js';
import { temporaryFolder } from '../../train/temporary-folder.js';
import {
  hfJson,
  INTERNVL_NAMES,
  type NamedValues,
  openGvlabJson,
  randomValues,
  tinyInternvl,
  toInternvlHf,
  type Values,
  writeFolder,
} from './tiny-published.js';

const folder = temporaryFolder();

const PEFT_CONFIG = {
  ...{ peft_type: 'LORA', r: 3, lora_alpha: 12, lora_dropout: 0.05, target_modules: ['wqkv', 'wo'], bias: 'none' },
  ...{
    use_rslora: false,
    use_dora: false,
    rank_pattern: {},
    alpha_pattern: {},
    modules_to_save: null,
    corda_config: null,
  },
  ...{
    base_model_name_or_path: '../base-internlm2',
    task_type: 'CAUSAL_LM',
    fan_in_fan_out: false,
    init_lora_weights: true,
  },
  ...{ megatron_core: 'megatron.core', runtime_config: { ephemeral_gpu_offload: false }, layers_to_transform: null },
};

const withLora = (family: 'internlm2' | 'qwen2', targets: readonly string[]) =>
  tinyInternvl(family, { lora: { rank: 3, alpha: 12, targets }, ablate: 'no-temporal-encoder' });

const adaptersOf = (family: 'internlm2' | 'qwen2', targets: readonly string[]) =>
  randomValues(withLora(family, targets), /\.lora_[AB]\./, 2);

const renamed = (values: NamedValues, rename: (name: string) => string): NamedValues =>
  new Map(Array.from(values, ([name, value]) => [rename(name), value]));

function expectValues({ model }: ModelFolder, expected: NamedValues): void {
  for (const [name, { data }] of expected) {
    expect(Array.from(model.parameters.get(name)?.value.dataSync() ?? []), name).toEqual(Array.from(data));
  }
}

/** Names as InternVL's script saves a model that it wrapped: language model and, when asked, ViT. */
function inModel(name: string, targets: RegExp): string {
  const wrapped = name
    .replace(/^language_model\./, 'language_model.base_model.model.')
    .replace(/^vision_model\./, 'vision_model.base_model.model.')
    .replace(/\.lora_([AB])\.weight$/, '.lora_$1.default.weight');
  return targets.test(name) ? wrapped.replace(/\.(weight|bias)$/, '.base_layer.$1') : wrapped;
}

describe('LoRA layouts', () => {
  useBackend(CPU);
  checkLeaks();
  const level = log.level;
  beforeAll(async () => {
    log.level = 'silent';
    for (const family of ['internlm2', 'qwen2'] as const) {
      const weights = randomValues(tinyInternvl(family), INTERNVL_NAMES);
      await writeFolder(join(folder, `base-${family}`), { weights, json: { 'config.json': openGvlabJson(family) } });
    }
    const internlm2 = randomValues(tinyInternvl('internlm2'), INTERNVL_NAMES);
    await writeFolder(join(folder, 'base-hf'), {
      weights: toInternvlHf(internlm2, 'new'),
      json: { 'config.json': hfJson('llama') },
    });
  });
  afterAll(() => {
    log.level = level;
  });

  const adapter = (name: string, weights: NamedValues, config: object = {}) =>
    writeFolder(join(folder, name), {
      ...{ weights, weightsName: 'adapter_model.safetensors' },
      json: { 'adapter_config.json': { ...PEFT_CONFIG, ...config } },
    });

  it('reads PEFT on the language model and on the whole model, beside the base that adapter_config.json names', async () => {
    const adapters = adaptersOf('internlm2', ['wqkv', 'wo']);
    const layouts = {
      'peft-language': (name: string) => `base_model.model.${name.replace('language_model.', '')}`,
      'peft-whole': (name: string) => `base_model.model.${name}`,
    };
    for (const [name, rename] of Object.entries(layouts)) {
      const loaded = await loadModelFolder(await adapter(name, renamed(adapters, rename)));
      expectValues(loaded, adapters);
      expectValues(loaded, randomValues(tinyInternvl('internlm2'), INTERNVL_NAMES));
      expect(loaded.model.config.lora).toMatchObject({ rank: 3, alpha: 12, targets: ['wqkv', 'wo'] });
      loaded.model.dispose();
    }
  });

  it('reads PEFT on Qwen2 beside a base that is given, and adapters on the -hf names that InternLM2 has too', async () => {
    const qwen2 = adaptersOf('qwen2', ['q_proj', 'v_proj', 'down_proj']);
    const dir = await adapter(
      'peft-qwen2',
      renamed(qwen2, (name) => `base_model.model.${name}`),
      {
        base_model_name_or_path: 'OpenGVLab/InternVL2_5-1B',
      },
    );
    await expect(loadModelFolder(dir)).rejects.toThrow(
      'names the base "OpenGVLab/InternVL2_5-1B", which is no folder here',
    );
    const loaded = await loadModelFolder(dir, { base: join(folder, 'base-qwen2') });
    expectValues(loaded, qwen2);
    expect(loaded.model.config.lora.targets).toEqual(['q_proj', 'v_proj', 'down_proj']);
    loaded.model.dispose();

    const ffn = adaptersOf('internlm2', ['wo', 'w1', 'w2', 'w3']);
    const hf = toInternvlHf(ffn, 'new');
    const hfDir = await adapter(
      'peft-hf',
      renamed(hf, (name) => `base_model.model.${name}`),
    );
    const onHf = await loadModelFolder(hfDir, { base: join(folder, 'base-hf') });
    expectValues(onHf, ffn);
    expect(onHf.model.config.lora.targets).toEqual(['wo', 'w1', 'w2', 'w3']);
    onHf.model.dispose();
  });

  it('keeps the factor of rank-stabilised adapters, and takes modules that were trained whole', async () => {
    const adapters = adaptersOf('internlm2', ['wo']);
    const mlp = { shape: [16, 32], data: Float32Array.from({ length: 512 }, (_, i) => i / 8) };
    const weights = new Map([...adapters, ['mlp1.1.weight', mlp] as const]);
    const dir = await adapter(
      'peft-rslora',
      renamed(weights, (name) => `base_model.model.${name}`),
      {
        ...{ use_rslora: true, modules_to_save: ['mlp1.1'] },
      },
    );
    const loaded = await loadModelFolder(dir);
    const { alpha, rank } = loaded.model.config.lora;
    expect(alpha / rank).toBeCloseTo(12 / Math.sqrt(3), 12);
    expectValues(loaded, new Map([['mlp1.1.weight', mlp]]));
    loaded.model.dispose();
  });

  for (const baseLayer of [true, false]) {
    it(`reads LoRA inside the model, ${baseLayer ? 'with' : 'and of old peft without'} base_layer`, async () => {
      const values = randomValues(tinyInternvl('internlm2'), INTERNVL_NAMES);
      const adapters = adaptersOf('internlm2', ['wqkv', 'wo', 'w1', 'w2', 'w3']);
      const targets = baseLayer ? /\.(?:wqkv|wo|w[123])\.weight$/ : /^$/;
      const dir = await writeFolder(join(folder, `in-model-${baseLayer}`), {
        weights: renamed(new Map([...values, ...adapters]), (name) => inModel(name, targets)),
        json: { 'config.json': openGvlabJson('internlm2', { use_llm_lora: 3 }) },
      });
      const loaded = await loadModelFolder(dir);
      expectValues(loaded, new Map([...values, ...adapters]));
      expect(loaded.model.config.lora).toMatchObject({ rank: 3, alpha: 6, targets: ['wqkv', 'wo', 'w1', 'w2', 'w3'] });
      loaded.model.dispose();
    });
  }

  it('merges adapters on the ViT into its weights: W + 2 B A', async () => {
    const values = randomValues(tinyInternvl('internlm2'), INTERNVL_NAMES);
    const adapters: NamedValues = new Map();
    const expected: NamedValues = new Map(values);
    for (const [name, { shape, data }] of values) {
      if (!/attn\.qkv\.weight$|mlp\.fc[12]\.weight$/.test(name) || !name.startsWith('vision')) continue;
      const [rows = 0, columns = 0] = shape;
      const a: Values = {
        shape: [2, columns],
        data: Float32Array.from({ length: 2 * columns }, (_, i) => (i % 5) - 2),
      };
      const b: Values = { shape: [rows, 2], data: Float32Array.from({ length: 2 * rows }, (_, i) => (i % 7) - 3) };
      adapters.set(name.replace('weight', 'lora_A.weight'), a).set(name.replace('weight', 'lora_B.weight'), b);
      const merged = data.map((w, i) => {
        const [row, column] = [Math.floor(i / columns), i % columns];
        const at = (r: number) => (b.data[row * 2 + r] ?? 0) * (a.data[r * columns + column] ?? 0);
        return w + 2 * (at(0) + at(1));
      });
      expected.set(name, { shape, data: merged });
    }
    const dir = await writeFolder(join(folder, 'vit-lora'), {
      weights: renamed(new Map([...values, ...adapters]), (name) =>
        inModel(name, /^vision.*(?:qkv|fc[12])\.(?:weight|bias)$/),
      ),
      json: { 'config.json': openGvlabJson('internlm2', { use_backbone_lora: 2 }) },
    });
    const loaded = await loadModelFolder(dir);
    // Whole numbers and 64ths: sums are exact.
    expectValues(loaded, expected);
    loaded.model.dispose();
  });

  it('refuses, naming it, what an adapter_config.json asks for beyond W + s B A', async () => {
    const weights = renamed(adaptersOf('internlm2', ['wo']), (name) => `base_model.model.${name}`);
    const cases: readonly [object, RegExp][] = [
      [{ peft_type: 'LOHA' }, /not a LoRA adapter's: .*expected "LORA"\s+.*at peft_type/],
      [{ use_dora: true }, /got use_dora: true, expected a plain LoRA adapter/],
      [{ lora_bias: true }, /lora_bias/],
      [{ bias: 'all' }, /got bias: "all"/],
      [{ fan_in_fan_out: true }, /fan_in_fan_out/],
      [{ rank_pattern: { wo: 8 } }, /got rank_pattern: \{"wo":8\}, expected one rank/],
      [{ alpha_pattern: { wo: 8 } }, /alpha_pattern/],
      [{ init_lora_weights: 'pissa' }, /got init_lora_weights: "pissa"/],
      [{ layers_to_transform: [0] }, /layers_to_transform/],
      [{ trainable_token_indices: [5] }, /trainable_token_indices/],
      [{ an_option_of_tomorrow: 1 }, /an_option_of_tomorrow/],
      [{ r: undefined }, /not a LoRA adapter's: .*\s+.*at r/],
      [{ r: 8 }, /r: got 8, expected 3, the rank of the tensors beside it/],
    ];
    for (const [i, [config, message]] of cases.entries()) {
      await expect(loadModelFolder(await adapter(`refused-${i}`, weights, config))).rejects.toThrow(message);
    }
  });

  it('refuses adapters it has no place for, and half of one', async () => {
    const hf = renamed(adaptersOf('internlm2', ['wo']), (name) => {
      return `base_model.model.${name.replace('language_model', 'model.language_model').replace('.model.layers', '.layers').replace('attention.wo', 'self_attn.q_proj')}`;
    });
    await expect(loadModelFolder(await adapter('peft-q', hf), { base: join(folder, 'base-hf') })).rejects.toThrow(
      /layers\.\{0-1\}\.self_attn\.q_proj\.lora_A\.weight: .*wqkv is one linear/,
    );
    const half = adaptersOf('internlm2', ['wo']);
    half.delete('language_model.model.layers.1.attention.wo.lora_B.weight');
    const dir = await adapter(
      'peft-half',
      renamed(half, (name) => `base_model.model.${name}`),
    );
    await expect(loadModelFolder(dir)).rejects.toThrow(/layers\.1\.attention\.wo\.lora_B\.weight: missing/);
    const two = new Map([...half, ...renamed(half, (name) => name.replace(/lora_([AB])/, 'lora_$1.other'))]);
    const twice = await adapter(
      'peft-two',
      renamed(two, (name) => `base_model.model.${name}`),
    );
    await expect(loadModelFolder(twice)).rejects.toThrow(/one adapter can be loaded/);
  });
});
