/** A checkpoint with its LoRA merged into the weights: one folder that needs no base, in the names of the OpenGVLab files. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { writeDirectoryAtomic } from '../base/atomic-file.js';
import { CheckpointError } from '../base/errors.js';
import type { Parameter } from '../model/parameters.js';
import type { SafetensorsEntry } from '../model/weights/safetensors-writer.js';
import { type CheckpointFolder, inferenceSections, openCheckpointFolder } from './checkpoint-folder.js';
import { copyCompanions, refuseUsedFolder } from './companion-files.js';
import { writeInputFile } from './input-file.js';
import { neutralEntry } from './neutral-entry.js';
import { type DtypeName, parameterEntry } from './parameter-entry.js';
import type { ScaledMerge } from './parameter-weights.js';
import { writeShards } from './write-shards.js';

export interface MergeOptions {
  readonly checkpoint: string;
  /** A folder that is not there yet, or empty. */
  readonly out: string;
  /** Default: each tensor's own. */
  readonly dtype?: DtypeName | undefined;
  readonly maxShardBytes?: number;
  readonly onTensor?: (done: number, total: number) => void;
  /** Called with the finished folder before it gets its name; when it throws, nothing is left behind. */
  readonly check?: (dir: string) => Promise<void>;
}

export interface MergedModel {
  readonly out: string;
  readonly files: readonly string[];
  readonly tensors: number;
  /** Linears that an adapter was added to. */
  readonly merged: number;
}

/** @throws CheckpointError E_WEIGHTS_*; ConfigError E_OUT_EXISTS; whatever `check` throws */
export async function mergeCheckpoint(options: MergeOptions): Promise<MergedModel> {
  await refuseUsedFolder(options.out);
  const folder = await openCheckpointFolder(options.checkpoint);
  try {
    const merger = new Merger(folder, options.dtype);
    const entries = merger.entries();
    let files: string[] = [];
    await writeDirectoryAtomic(options.out, async (dir) => {
      let done = 0;
      const { maxShardBytes, onTensor } = options;
      files = await writeShards(dir, entries, {
        ...(maxShardBytes === undefined ? {} : { maxShardBytes }),
        onTensor: () => onTensor?.(++done, entries.length),
      });
      await writeCompanions(folder, dir);
      await options.check?.(dir);
    });
    return { out: options.out, files, tensors: entries.length, merged: merger.merged };
  } finally {
    await folder.close();
  }
}

async function writeCompanions(folder: CheckpointFolder, dir: string): Promise<void> {
  const { config, model } = folder.plan;
  const merged = { ...model, lora: { ...model.lora, rank: 0 } };
  await writeFile(join(dir, 'config.yaml'), stringify(inferenceSections({ config, model: merged })));
  const copied = await copyCompanions(folder.dirs, dir, 'all');
  if (copied.includes('config.json')) {
    // transformers' config.json goes with transformers' names, which the merged weights no longer have.
    if (folder.weights.layouts.has('internvl-hf')) await rm(join(dir, 'config.json'));
    else await clearLoraFlags(join(dir, 'config.json'));
  }
  await writeInputFile(folder.dir, folder.plan, dir);
}

/** InternVL's class would wrap the model for LoRA again. */
async function clearLoraFlags(path: string): Promise<void> {
  const json = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  const flags = ['use_llm_lora', 'use_backbone_lora'].filter((key) => json[key] !== undefined && json[key] !== 0);
  if (flags.length === 0) return;
  for (const key of flags) json[key] = 0;
  await writeFile(path, `${JSON.stringify(json, null, 2)}\n`);
}

class Merger {
  merged = 0;

  constructor(
    private readonly folder: CheckpointFolder,
    private readonly dtype: DtypeName | undefined,
  ) {}

  entries(): SafetensorsEntry[] {
    const { model, weights, plan, dir } = this.folder;
    const parameters = model.parameters.list().filter(({ part }) => part !== 'lora');
    const absent = parameters.filter(({ name, part }) => !weights.has(name) && !plan.freshParts.includes(part));
    if (absent.length > 0) {
      const names = absent.slice(0, 8).map(({ name }) => name);
      throw new CheckpointError(
        'E_WEIGHTS_MISSING',
        `${dir}: ${absent.length} parameters are in no file: ${names.join(', ')}${absent.length > 8 ? ', ...' : ''}.`,
        { hint: 'Check that `base:` and `temporalBase:` in config.yaml name folders that are there.' },
      );
    }
    return parameters.map((parameter) =>
      weights.has(parameter.name) ? this.entry(parameter) : neutralEntry(parameter),
    );
  }

  private entry(parameter: Parameter): SafetensorsEntry {
    const located = this.folder.weights.locate(parameter.name);
    const adapters = [...located.merges, ...this.adapterOf(parameter.name)];
    if (adapters.length > 0) this.merged++;
    return parameterEntry(parameter, located, { dtype: this.dtype, adapters });
  }

  /** The pair of ours beside a linear. */
  private adapterOf(name: string): ScaledMerge[] {
    const { model, weights, plan } = this.folder;
    const linear = name.replace(/\.weight$/, '');
    const [a, b] = [`${linear}.lora_A.weight`, `${linear}.lora_B.weight`];
    if (model.parameters.get(a) === undefined) return [];
    const [{ source, rows }, { rows: rowsB }] = [weights.locate(a), weights.locate(b)];
    const { alpha, rank } = plan.model.lora;
    return [{ source, a: rows[0]?.tensor ?? a, b: rowsB[0]?.tensor ?? b, scale: alpha / rank }];
  }
}
