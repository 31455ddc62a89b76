/** What files of weights hold, from their headers alone: nothing is loaded, so 16 GB take milliseconds. */
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { openWeights } from '../model/weights/open-weights.js';
import { openSafetensors } from '../model/weights/safetensors.js';
import type { SourceTensor, WeightSource } from '../model/weights/source.js';
import { describeLayout, partOf } from './layout-of-names.js';

export interface Tally {
  readonly name: string;
  readonly tensors: number;
  readonly parameters: number;
  readonly bytes: number;
}

/** Tensors that differ by the number of their layer only. */
export interface TensorPattern {
  /** `*` stands for the number. */
  readonly name: string;
  /** '0-31', or '' when the name has no number. */
  readonly layers: string;
  readonly tensors: number;
  readonly dtype: string;
  readonly shape: readonly number[];
}

export interface WeightsReport {
  readonly path: string;
  readonly format: string;
  readonly layout: string;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly tensors: number;
  readonly parameters: number;
  readonly bytes: number;
  readonly parts: readonly Tally[];
  readonly dtypes: readonly Tally[];
  readonly patterns: readonly TensorPattern[];
  readonly metadata: Readonly<Record<string, string>>;
  /** config.json, adapter_config.json or MANIFEST.json, in a few words. */
  readonly companions: readonly string[];
  readonly notes: readonly string[];
}

/**
 * @param path a folder, a file or an index of shards, as `openWeights` takes
 * @throws CheckpointError when a file is absent or breaks a rule of its format
 */
export async function inspectWeights(path: string): Promise<WeightsReport> {
  const source = await openWeights(path);
  try {
    const tensors = [...source.tensors.values()];
    const files = await fileSizes(tensors);
    return {
      path,
      format: formatOf(files.map(({ name }) => name)),
      layout: describeLayout(source),
      files,
      ...totals(tensors),
      parts: tally(tensors, ({ name }) => partOf(name)),
      dtypes: tally(tensors, ({ dtype }) => dtype),
      patterns: patternsOf(tensors),
      metadata: await metadataOf(source),
      companions: await companionsOf(path),
      notes: source.notes ?? [],
    };
  } finally {
    await source.close();
  }
}

async function fileSizes(tensors: readonly SourceTensor[]): Promise<{ name: string; bytes: number }[]> {
  const paths = [...new Set(tensors.map(({ file }) => file))].sort();
  return Promise.all(paths.map(async (file) => ({ name: basename(file), bytes: (await stat(file)).size })));
}

function formatOf(files: readonly string[]): string {
  const kind = files.every((name) => name.endsWith('.safetensors')) ? 'safetensors' : 'PyTorch archive';
  return files.length > 1 ? `${kind}, ${files.length} shards` : kind;
}

function totals(tensors: readonly SourceTensor[]): { tensors: number; parameters: number; bytes: number } {
  const parameters = tensors.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  return { tensors: tensors.length, parameters, bytes: tensors.reduce((sum, { byteLength }) => sum + byteLength, 0) };
}

function tally(tensors: readonly SourceTensor[], key: (tensor: SourceTensor) => string): Tally[] {
  const groups = new Map<string, SourceTensor[]>();
  for (const tensor of tensors) groups.set(key(tensor), [...(groups.get(key(tensor)) ?? []), tensor]);
  return [...groups].map(([name, some]) => ({ name, ...totals(some) })).sort((a, b) => b.bytes - a.bytes);
}

/** Numbers of layers only: `mlp1.0` and `mlp1.3` are different things. */
const LAYER_NUMBER = /(?<=(?:^|\.)(?:layers|layer|blocks)\.)\d+(?=\.)/;

function patternsOf(tensors: readonly SourceTensor[]): TensorPattern[] {
  const groups = new Map<string, { pattern: TensorPattern; numbers: number[] }>();
  for (const { name, dtype, shape } of tensors) {
    const number = LAYER_NUMBER.exec(name)?.[0];
    const general = name.replace(LAYER_NUMBER, '*');
    const key = JSON.stringify([general, dtype, shape]);
    const group = groups.get(key) ?? { pattern: { name: general, layers: '', tensors: 0, dtype, shape }, numbers: [] };
    if (number !== undefined) group.numbers.push(Number(number));
    groups.set(key, { ...group, pattern: { ...group.pattern, tensors: group.pattern.tensors + 1 } });
  }
  const patterns = [...groups.values()].map(({ pattern, numbers }) => ({ ...pattern, layers: ranges(numbers) }));
  return patterns.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** [0, 1, 2, 5] -> '0-2,5' */
function ranges(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}

/** The __metadata__ of safetensors files; what shards repeat is said once. */
async function metadataOf(source: WeightSource): Promise<Record<string, string>> {
  const metadata: Record<string, string> = {};
  for (const path of new Set([...source.tensors.values()].map(({ file }) => file))) {
    if (!path.endsWith('.safetensors')) continue;
    const file = await openSafetensors(path);
    for (const [key, value] of file.metadata) metadata[key] = value;
    await file.close();
  }
  return metadata;
}

const SHOWN: Readonly<Record<string, readonly string[]>> = {
  'config.json': ['architectures', 'model_type', 'template', '_name_or_path'],
  'adapter_config.json': ['peft_type', 'r', 'lora_alpha', 'target_modules', 'base_model_name_or_path'],
  'MANIFEST.json': ['step', 'backend'],
};

async function companionsOf(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [];
  const lines: string[] = [];
  for (const [name, keys] of Object.entries(SHOWN)) {
    const text = await readFile(join(path, name), 'utf8').catch(() => undefined);
    if (text !== undefined) lines.push(`${name}: ${describeJson(text, keys)}`);
  }
  return lines;
}

function describeJson(text: string, keys: readonly string[]): string {
  let json: Readonly<Record<string, unknown>>;
  try {
    json = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return 'not JSON';
  }
  const present = keys.filter((key) => json[key] !== undefined && json[key] !== null);
  return present.map((key) => `${key} ${JSON.stringify(json[key])}`).join(', ');
}
