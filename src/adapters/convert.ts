/** A checkpoint in other names or another format, values as they are: .bin to safetensors, -hf to OpenGVLab and back. */
import { rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { writeDirectoryAtomic } from '../base/atomic-file.js';
import { CheckpointError, ConfigError } from '../base/errors.js';
import { detectLayout } from '../model/checkpoints/detect-layout.js';
import { internvlHfLayout } from '../model/checkpoints/internvl-hf-layout.js';
import { type Layout, WHOLE_INTERNVL } from '../model/checkpoints/layout.js';
import { plainNames } from '../model/checkpoints/plain-names.js';
import { openWeights } from '../model/weights/open-weights.js';
import type { SafetensorsEntry } from '../model/weights/safetensors-writer.js';
import type { RowRange } from '../model/weights/source.js';
import { type CheckpointFolder, inferenceSections, openCheckpointFolder } from './checkpoint-folder.js';
import { copyCompanions, refuseUsedFolder } from './companion-files.js';
import type { ConvertTarget } from './convert-targets.js';
import { writeInputFile } from './input-file.js';
import { neutralEntry } from './neutral-entry.js';
import { type DtypeName, parameterEntry } from './parameter-entry.js';
import { publishedConfig } from './published-config.js';
import { timesformerEntries } from './timesformer-entries.js';
import { writeShards } from './write-shards.js';

export interface ConvertOptions {
  /** A folder of any kind that is read, or a file of TimeSformer's weights. */
  readonly from: string;
  /** A folder that is not there yet, or empty. */
  readonly out: string;
  /** Default: opengvlab for an InternVL, hf for a TimeSformer. */
  readonly to?: ConvertTarget | undefined;
  /** Default: each tensor's own. */
  readonly dtype?: DtypeName | undefined;
  readonly maxShardBytes?: number;
  readonly onTensor?: (done: number, total: number) => void;
}

export interface Converted {
  readonly out: string;
  readonly to: ConvertTarget;
  readonly files: readonly string[];
  readonly tensors: number;
}

/** @throws CheckpointError E_WEIGHTS_*, E_CONVERT_LORA; ConfigError E_OUT_EXISTS, E_CONVERT_TARGET */
export async function convertCheckpoint(options: ConvertOptions): Promise<Converted> {
  await refuseUsedFolder(options.out);
  if (await isTimesformer(options.from)) return convertTimesformer(options);
  const { to = 'opengvlab' } = options;
  const folder = await openCheckpointFolder(options.from);
  try {
    return await write(options, to, entriesOf(folder, to, options.dtype), (dir) => writeConfig(folder, to, dir));
  } finally {
    await folder.close();
  }
}

async function isTimesformer(from: string): Promise<boolean> {
  const source = await openWeights(from).catch(() => undefined);
  if (source === undefined) return false;
  const names = plainNames(source.tensors).tensors.keys();
  await source.close();
  try {
    return detectLayout(from, names, { numHeads: 1, numKvHeads: 1 }).layout.id.startsWith('timesformer');
  } catch {
    return false;
  }
}

async function convertTimesformer(options: ConvertOptions): Promise<Converted> {
  const { from, to = 'hf', dtype } = options;
  if (to === 'opengvlab') {
    throw new ConfigError('E_CONVERT_TARGET', `--to opengvlab: ${from} is a TimeSformer, expected hf or mimic.`, {
      hint: 'Both write the names of Hugging Face, which are ours.',
    });
  }
  const source = await openWeights(from);
  try {
    const dir = (await stat(from)).isDirectory() ? from : dirname(from);
    // Files around a single one are not known to be its own.
    const dirs = dir === from ? [dir] : [];
    return await write(options, to, timesformerEntries(source, dtype), async (out) => {
      await copyCompanions(dirs, out, 'all');
    });
  } finally {
    await source.close();
  }
}

async function write(
  { out, maxShardBytes, onTensor }: ConvertOptions,
  to: ConvertTarget,
  entries: readonly SafetensorsEntry[],
  writeBeside: (dir: string) => Promise<void>,
): Promise<Converted> {
  let files: string[] = [];
  await writeDirectoryAtomic(out, async (dir) => {
    let done = 0;
    files = await writeShards(dir, entries, {
      ...(maxShardBytes === undefined ? {} : { maxShardBytes }),
      onTensor: () => onTensor?.(++done, entries.length),
    });
    await writeBeside(dir);
  });
  return { out, to, files, tensors: entries.length };
}

function entriesOf(folder: CheckpointFolder, to: ConvertTarget, dtype: DtypeName | undefined): SafetensorsEntry[] {
  const { model, weights, plan } = folder;
  const parameters = model.parameters.list().filter(({ part }) => to === 'mimic' || WHOLE_INTERNVL.has(part));
  const hasLora = parameters.some(({ name, part }) => {
    return weights.has(name) && (part === 'lora' ? to !== 'mimic' : weights.locate(name).merges.length > 0);
  });
  if (hasLora) {
    throw new CheckpointError(
      'E_CONVERT_LORA',
      `${folder.dir}: has LoRA beside its weights, which ${to} has no name for.`,
      {
        hint: 'Merge it first (mimic weights merge), or export it (mimic weights export-peft).',
      },
    );
  }
  const layout = to === 'hf' ? internvlHfLayout('old', plan.model.language) : undefined;
  return parameters.flatMap((parameter) => {
    const { name, shape, part } = parameter;
    if (!weights.has(name) && plan.freshParts.includes(part)) return [neutralEntry(parameter)];
    const located = weights.locate(name);
    if (layout === undefined) return [parameterEntry(parameter, located, { dtype })];
    const pieces = piecesOf(name, shape, located.rows, layout);
    return pieces.map(({ rows, ...piece }) => parameterEntry(piece, { source: located.source, rows }, { dtype }));
  });
}

/** The tensors of another layout that a parameter of ours becomes. */
function piecesOf(name: string, shape: readonly number[], rows: readonly RowRange[], layout: Layout) {
  const [total = 1, ...rest] = shape;
  const at = layout.locate(name, total);
  if ('reason' in at) throw new CheckpointError('E_CONVERT_TARGET', `${name}: ${at.reason}.`);
  const byName = new Map<string, { start: number; count: number; rows: RowRange[] }[]>();
  let own = 0;
  for (const { name: theirs, start = 0, count = total } of at) {
    byName.set(theirs, [...(byName.get(theirs) ?? []), { start, count, rows: sliceRows(rows, own, count) }]);
    own += count;
  }
  return Array.from(byName, ([theirs, parts]) => {
    const sorted = parts.sort((a, b) => a.start - b.start);
    const count = sorted.reduce((sum, part) => sum + part.count, 0);
    return { name: theirs, shape: [count, ...rest], rows: sorted.flatMap((part) => part.rows) };
  });
}

/** `count` rows from `start` on, of rows that lie in several places. */
function sliceRows(rows: readonly RowRange[], start: number, count: number): RowRange[] {
  const slices: RowRange[] = [];
  let at = 0;
  for (const range of rows) {
    const from = Math.max(start, at);
    const to = Math.min(start + count, at + range.count);
    if (from < to) slices.push({ tensor: range.tensor, start: range.start + from - at, count: to - from });
    at += range.count;
  }
  return slices;
}

async function writeConfig(folder: CheckpointFolder, to: ConvertTarget, dir: string): Promise<void> {
  const copied = await copyCompanions(folder.dirs, dir, 'all');
  const wanted = to === 'hf' ? 'internvl' : 'internvl_chat';
  if (to === 'mimic') {
    await rm(join(dir, 'config.json'), { force: true });
    await writeFile(join(dir, 'config.yaml'), stringify(inferenceSections(folder.plan)));
    await writeInputFile(folder.dir, folder.plan, dir);
    return;
  }
  for (const [name, text] of await publishedConfig(folder, wanted, copied.includes('config.json') ? dir : undefined)) {
    await writeFile(join(dir, name), text);
  }
}
