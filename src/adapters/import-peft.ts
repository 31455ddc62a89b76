/** An adapter that was trained in Python as a checkpoint folder of ours: config, LoRA and trained modules over a base. */

import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { stringify } from 'yaml';
import { writeDirectoryAtomic } from '../base/atomic-file.js';
import { CheckpointError } from '../base/errors.js';
import { log } from '../base/logger.js';
import { ADAPTER_CONFIG, type PeftConfig, readPeftConfig } from '../model/checkpoints/adapter-config.js';
import { type ModelConfig, ModelSchema } from '../model/config.js';
import { MimicChatModel } from '../model/mimic-chat.js';
import { openWeights } from '../model/weights/open-weights.js';
import { type SafetensorsEntry, writeSafetensors } from '../model/weights/safetensors-writer.js';
import type { WeightSource } from '../model/weights/source.js';
import { ADAPTER_FILES } from './adapter-files.js';
import { type ImportBase, importBase } from './base-sections.js';
import { inferenceSections } from './checkpoint-folder.js';
import { copyCompanions, refuseUsedFolder } from './companion-files.js';
import { writeInputFile } from './input-file.js';
import { joinLora } from './join-lora.js';
import { neutralEntry } from './neutral-entry.js';
import { ParameterWeights } from './parameter-weights.js';
import { moduleScale } from './peft-config.js';
import { type AdapterTensors, sortAdapter } from './read-adapter.js';
import { readFloat32 } from './read-tensor.js';

export interface ImportPeftOptions {
  /** Folder or file of the adapter. */
  readonly adapter: string;
  readonly base: string;
  /** A folder that is not there yet, or empty. */
  readonly out: string;
  /** YAML of a run whose model, prompt and video sections describe the base with what is to be around it. */
  readonly config?: string | undefined;
}

export interface ImportedAdapter {
  readonly out: string;
  readonly rank: number;
  readonly alpha: number;
  readonly targets: readonly string[];
  readonly linears: number;
  readonly moduleTensors: number;
}

/** @throws CheckpointError E_ADAPTER_*, E_WEIGHTS_*; ConfigError E_OUT_EXISTS */
export async function importPeft(options: ImportPeftOptions): Promise<ImportedAdapter> {
  await refuseUsedFolder(options.out);
  const base = await importBase(options);
  const bare = new MimicChatModel({ ...base.model, lora: { ...base.model.lora, rank: 0 } });
  const source = await openWeights(options.adapter);
  try {
    const tensors = sortAdapter(source, bare.parameters, base.model.language);
    const peft = await peftConfigOf(options.adapter, tensors);
    const joined = await joinLora(source, tensors.pairs, linearsOf(bare), ({ module, rank }) => {
      const expected = moduleScale(peft, module);
      if (expected.rank === rank) return expected.scale;
      const message = `${module}: its A has ${rank} rows, ${ADAPTER_CONFIG} says r ${expected.rank}.`;
      throw new CheckpointError('E_ADAPTER_MISMATCH', message, {
        hint: 'Weights and configuration are of two adapters.',
      });
    });
    const { zeros, entries, ...lora } = joined;
    if (zeros.length > 0) log.info(`${zeros.length} linears of the adapter's kinds have no adapter in it: zeros`);
    const model = ModelSchema.parse({
      ...base.model,
      lora: { rank: lora.rank, alpha: lora.alpha, targets: lora.targets, dropout: peft.lora_dropout },
      ablate: base.model.ablate === 'no-lora' ? 'none' : base.model.ablate,
    });
    const modules = await moduleEntries(options.adapter, base, source, tensors, model);
    await writeDirectoryAtomic(options.out, async (dir) => {
      // Paths are relative to the final place; the folder is renamed into it.
      const from = (folder: string) => relative(resolve(options.out), resolve(folder));
      const temporalBase = base.temporalBase === undefined ? {} : { temporalBase: from(base.temporalBase) };
      const sections = inferenceSections({ model, config: base.config });
      await writeFile(join(dir, 'config.yaml'), stringify({ base: from(options.base), ...temporalBase, ...sections }));
      await writeSafetensors(join(dir, 'model.safetensors'), [...entries, ...modules]);
      await copyCompanions([options.base, options.adapter], dir, 'tokenizer');
      await writeInputFile(options.adapter, { model, config: base.config }, dir);
    });
    return { out: options.out, ...lora, linears: entries.length / 2, moduleTensors: modules.length };
  } finally {
    await source.close();
  }
}

/** InternVL's own training saves no adapter_config.json; its alpha is always twice the rank. */
async function peftConfigOf(adapter: string, { pairs }: AdapterTensors): Promise<PeftConfig> {
  const rank = pairs[0]?.rank ?? 1;
  const isWrapped = pairs.some(({ a }) => a.includes('.default.'));
  if (isWrapped && !existsSync(join(adapter, ADAPTER_CONFIG))) {
    log.info(`no ${ADAPTER_CONFIG}: alpha ${2 * rank}, twice the rank, as InternVL's training has it`);
    return { peft_type: 'LORA', r: rank, lora_alpha: 2 * rank, lora_dropout: 0, use_rslora: false };
  }
  return readPeftConfig(adapter);
}

/** Every linear of the decoder blocks with its [outputs, inputs]. */
function linearsOf(model: MimicChatModel): Map<string, readonly [number, number]> {
  const linears = new Map<string, readonly [number, number]>();
  for (const { name, shape } of model.parameters.list()) {
    const linear = /^(language_model\.model\.layers\.\d+\.\w+\.\w+)\.weight$/.exec(name)?.[1];
    const [outputs, inputs] = shape;
    if (linear !== undefined && outputs !== undefined && inputs !== undefined) linears.set(linear, [outputs, inputs]);
  }
  return linears;
}

/** Trained tensors beside LoRA: those that PEFT saved whole, and those that our export put beside the adapter. */
async function moduleEntries(
  adapter: string,
  base: ImportBase,
  source: WeightSource,
  { modules }: AdapterTensors,
  config: ModelConfig,
): Promise<SafetensorsEntry[]> {
  const entries = new Map<string, SafetensorsEntry>();
  const model = new MimicChatModel(config);
  const add = async (from: WeightSource, name: string, tensor: string) => {
    const shape = model.parameters.get(name)?.shape;
    if (shape === undefined || shape.join() !== from.tensors.get(tensor)?.shape.join()) {
      const message = `${from.path}: ${tensor} [${from.tensors.get(tensor)?.shape}] is not of this model.`;
      throw new CheckpointError('E_ADAPTER_MISMATCH', message, { hint: 'Give the --config that it was trained with.' });
    }
    entries.set(name, { name, dtype: 'F32', shape, data: await readFloat32(from, tensor) });
  };
  const besidePath = join(adapter, ADAPTER_FILES.modules);
  if (existsSync(besidePath)) {
    const beside = await openWeights(besidePath);
    try {
      for (const name of beside.tensors.keys()) await add(beside, name, name);
    } finally {
      await beside.close();
    }
  }
  for (const [name, tensor] of modules) await add(source, name, tensor);
  for (const entry of await neutralEntries(base, model, entries)) entries.set(entry.name, entry);
  return [...entries.values()];
}

/** Parameters of ours that neither adapter nor base holds. @throws CheckpointError when they would change something */
async function neutralEntries(
  { loads, freshParts }: ImportBase,
  model: MimicChatModel,
  known: ReadonlyMap<string, SafetensorsEntry>,
): Promise<SafetensorsEntry[]> {
  const weights = await ParameterWeights.of(model, loads);
  await weights.close();
  const absent = model.parameters.list().filter(({ name, part }) => {
    return part !== 'lora' && !known.has(name) && !weights.has(name);
  });
  const needed = absent.filter(({ part }) => !freshParts.includes(part));
  if (needed.length === 0) return absent.map(neutralEntry);
  const parts = [...new Set(needed.map(({ part }) => part))].join(', ');
  const names = needed.slice(0, 4).map(({ name }) => name);
  throw new CheckpointError(
    'E_ADAPTER_INCOMPLETE',
    `neither adapter nor base holds ${needed.length} parameters (${parts}): ${names.join(', ')}, ...`,
    { hint: 'Switch that part off in the --config (model.ablate: no-temporal-encoder), or give a base that has it.' },
  );
}
