/**
 * A tuned checkpoint as an adapter that PEFT loads: the LoRA matrices under PEFT's names, and beside them what PEFT knows
 * nothing of, so that importing the folder gives the checkpoint back.
 */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { writeDirectoryAtomic } from '../base/atomic-file.js';
import { CheckpointError } from '../base/errors.js';
import { ADAPTER_CONFIG } from '../model/checkpoints/adapter-config.js';
import type { SafetensorsEntry } from '../model/weights/safetensors-writer.js';
import { writeSafetensors } from '../model/weights/safetensors-writer.js';
import { adapterCard } from './adapter-card.js';
import { ADAPTER_FILES } from './adapter-files.js';
import { type CheckpointFolder, inferenceSections, openCheckpointFolder } from './checkpoint-folder.js';
import { copyCompanions, refuseUsedFolder } from './companion-files.js';
import { writeInputFile } from './input-file.js';
import { type PeftLayout, peftLinears, targetModules } from './lora-names.js';
import { takeRows } from './matrix-rows.js';
import type { ParameterWeights } from './parameter-weights.js';
import { peftConfigJson } from './peft-config.js';
import { readRowsFloat32 } from './read-tensor.js';

export interface ExportPeftOptions {
  readonly checkpoint: string;
  /** A folder that is not there yet, or empty. */
  readonly out: string;
  readonly layout: PeftLayout;
  /** What adapter_config.json and the card name as the base, e.g. OpenGVLab/InternVL2_5-8B. */
  readonly baseModel?: string | undefined;
}

export interface ExportedAdapter {
  readonly out: string;
  readonly layout: PeftLayout;
  readonly rank: number;
  readonly adapterTensors: number;
  readonly moduleTensors: number;
}

/** @throws CheckpointError E_NO_ADAPTER when the checkpoint has no LoRA; ConfigError E_OUT_EXISTS */
export async function exportPeft(options: ExportPeftOptions): Promise<ExportedAdapter> {
  await refuseUsedFolder(options.out);
  const folder = await openCheckpointFolder(options.checkpoint);
  try {
    const adapter = await adapterTensors(folder, options.layout);
    const modules = moduleTensors(folder);
    const { rank, alpha, dropout } = folder.plan.model.lora;
    await writeDirectoryAtomic(options.out, async (dir) => {
      await writeSafetensors(join(dir, ADAPTER_FILES.weights), adapter.entries, { format: 'pt' });
      if (modules.length > 0) await writeSafetensors(join(dir, ADAPTER_FILES.modules), modules);
      const baseModel = options.baseModel ?? null;
      const taskType = options.layout === 'lm' ? 'CAUSAL_LM' : null;
      const peft = { rank, alpha, dropout, taskType, baseModel, targetModules: adapter.targets } as const;
      await writeFile(join(dir, ADAPTER_CONFIG), peftConfigJson(peft));
      await writeFile(join(dir, ADAPTER_FILES.config), stringify(inferenceSections(folder.plan)));
      const card = {
        ...options,
        rank,
        alpha,
        modules: modules.map(({ name }) => name),
        modulesFile: ADAPTER_FILES.modules,
      };
      await writeFile(join(dir, 'README.md'), adapterCard(card));
      await copyCompanions(folder.dirs, dir, 'tokenizer');
      await writeInputFile(folder.dir, folder.plan, dir);
    });
    const counts = { adapterTensors: adapter.entries.length, moduleTensors: modules.length };
    return { out: options.out, layout: options.layout, rank, ...counts };
  } finally {
    await folder.close();
  }
}

/** The LoRA matrices under PEFT's names. */
async function adapterTensors(folder: CheckpointFolder, layout: PeftLayout) {
  const { model, weights, plan } = folder;
  const { lora, language } = plan.model;
  const linears = model.parameters
    .list()
    .filter(({ name }) => name.endsWith('.lora_A.weight'))
    .map(({ name }) => name.slice(0, -'.lora_A.weight'.length));
  if (linears.length === 0) {
    throw new CheckpointError('E_NO_ADAPTER', `${folder.dir}: its model has no LoRA (model.lora.rank is 0).`, {
      hint: 'Give a checkpoint of a run that trained LoRA; a merged model is loaded as it is.',
    });
  }
  const entries: SafetensorsEntry[] = [];
  const modules: string[] = [];
  for (const linear of linears) {
    const [a, b] = [`${linear}.lora_A.weight`, `${linear}.lora_B.weight`];
    const [values_RI, values_OR] = [await valuesOf(weights, a), await valuesOf(weights, b)];
    const { rank } = lora;
    for (const { module, rows } of peftLinears(linear, layout, language) ?? []) {
      const taken = rows === undefined ? values_OR : takeRows(values_OR, rank, rows);
      const name = (matrix: 'A' | 'B') => `base_model.model.${module}.lora_${matrix}.weight`;
      entries.push({ name: name('A'), dtype: 'F32', shape: [rank, values_RI.length / rank], data: values_RI });
      entries.push({ name: name('B'), dtype: 'F32', shape: [taken.length / rank, rank], data: taken });
      modules.push(module);
    }
  }
  return { entries, targets: targetModules(modules, layout) };
}

/** A whole model's encoders and language model are its base; a checkpoint that names a base holds what was trained. */
const BASE_PARTS = new Set(['spatial encoder', 'temporal encoder', 'language model']);

function moduleTensors({ model, weights, hasBase }: CheckpointFolder): SafetensorsEntry[] {
  const entries: SafetensorsEntry[] = [];
  for (const { name, part, shape } of model.parameters.list()) {
    const travels = part !== 'lora' && (hasBase || !BASE_PARTS.has(part));
    if (travels && weights.isOwn(name))
      entries.push({ name, dtype: 'F32', shape, data: () => valuesOf(weights, name) });
  }
  return entries;
}

function valuesOf(weights: ParameterWeights, name: string): Promise<Float32Array<ArrayBuffer>> {
  const { source, rows } = weights.locate(name);
  return readRowsFloat32(source, rows);
}
