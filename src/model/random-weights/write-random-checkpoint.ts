/** A checkpoint folder of a published model's names, shapes and sizes whose weights are random. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError, ConfigError } from '../../base/errors.js';
import { formatBytes } from '../../base/format.js';
import { type ModelSizes, modelSizes, type PublishedModel, type Scale } from './catalog.js';
import { internVlFiles, type JsonFiles, type Layout, timesformerFiles, type WeightDtype } from './config-files.js';
import { hfTensors } from './hf-layout.js';
import { type Shard, type StoredDtype, splitIntoShards, tensorBytes, writeShard } from './shards.js';
import { internVlTensors, type RandomTensor, sizeOf, timesformerTensors } from './tensors.js';
import { writeTokenizerFiles } from './tokenizer-files.js';

export interface RandomCheckpointOptions {
  readonly like: PublishedModel;
  readonly out: string;
  /** The same seed gives the same numbers, whatever the layout, the sizes of the files and the precision's rounding. */
  readonly seed?: number | undefined;
  /** Default: as published, bf16 for InternVL and fp32 for TimeSformer. */
  readonly dtype?: WeightDtype | undefined;
  /** Names of OpenGVLab's repositories (default) or of those ending in -hf; TimeSformer has one layout only. */
  readonly layout?: Layout | undefined;
  readonly scale?: Scale | undefined;
  /** Tokenizer file or folder to copy. */
  readonly tokenizer?: string | undefined;
  /** Most bytes of weights in a file; default 5e9, as transformers has it. */
  readonly shardBytes?: number | undefined;
  readonly onProgress?: ((progress: { doneBytes: number; totalBytes: number }) => void) | undefined;
}

export interface RandomCheckpoint {
  readonly files: readonly string[];
  readonly parameters: number;
  readonly totalBytes: number;
}

/** Left free on the disk. */
const SPARE_DISK_BYTES = 256 * 2 ** 20;

/**
 * @throws ConfigError E_OUT_NOT_EMPTY, E_LAYOUT_ABSENT, E_TOKENIZER_SOURCE; CheckpointError E_DISK_SPACE before anything is
 *   written. After any other error the files written so far are removed.
 */
export async function writeRandomCheckpoint(options: RandomCheckpointOptions): Promise<RandomCheckpoint> {
  const { like, out, seed = 0, layout, scale = 'full', shardBytes = 5e9 } = options;
  const sizes = modelSizes(like, scale);
  if (sizes.kind === 'timesformer' && layout === 'opengvlab') {
    throw new ConfigError('E_LAYOUT_ABSENT', `layout opengvlab: ${like} was published in the hf layout only`, {
      hint: 'leave --layout out',
    });
  }
  const dtype = options.dtype ?? (sizes.kind === 'internvl' ? 'bf16' : 'fp32');
  const stored: StoredDtype = dtype === 'bf16' ? 'BF16' : 'F32';
  const tensors = tensorsOf(sizes, layout ?? 'opengvlab');
  const totalBytes = tensors.reduce((sum, tensor) => sum + tensorBytes(tensor, stored), 0);
  await prepareFolder(out, totalBytes);
  const shards = splitIntoShards(tensors, stored, shardBytes);
  const written: string[] = [];
  let doneBytes = 0;
  const onBytes = (bytes: number) => {
    doneBytes += bytes;
    options.onProgress?.({ doneBytes, totalBytes });
  };
  onBytes(0);
  try {
    if (sizes.kind === 'internvl') await writeTokenizerFiles(out, sizes.language, options.tokenizer);
    for (const shard of shards) {
      written.push(shard.name);
      await writeShard(join(out, shard.name), shard.tensors, { seed, dtype: stored, onBytes });
    }
    // Last: a folder with config.json is whole.
    const json = jsonFiles(sizes, layout ?? 'opengvlab', dtype);
    for (const [name, content] of Object.entries({ ...indexFile(shards, totalBytes), ...json })) {
      await writeFile(join(out, name), `${JSON.stringify(content, null, 2)}\n`);
    }
  } catch (error) {
    for (const name of await readdir(out)) await rm(join(out, name));
    throw error;
  }
  const parameters = tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return { files: (await readdir(out)).sort(), parameters, totalBytes };
}

function tensorsOf(sizes: ModelSizes, layout: Layout): RandomTensor[] {
  if (sizes.kind === 'timesformer') return timesformerTensors(sizes);
  const tensors = internVlTensors(sizes);
  return layout === 'hf' ? hfTensors(tensors, sizes) : tensors;
}

function jsonFiles(sizes: ModelSizes, layout: Layout, dtype: WeightDtype): JsonFiles {
  return sizes.kind === 'timesformer' ? timesformerFiles(sizes, dtype) : internVlFiles(sizes, layout, dtype);
}

function indexFile(shards: readonly Shard[], totalBytes: number): JsonFiles {
  if (shards.length === 1) return {};
  const files = shards.flatMap(({ name, tensors }) => tensors.map((tensor) => [tensor.name, name] as const));
  const weightMap = Object.fromEntries(files.sort(([a], [b]) => (a < b ? -1 : 1)));
  return { 'model.safetensors.index.json': { metadata: { total_size: totalBytes }, weight_map: weightMap } };
}

async function prepareFolder(out: string, totalBytes: number): Promise<void> {
  if (existsSync(out) && (await readdir(out)).length > 0) {
    throw new ConfigError('E_OUT_NOT_EMPTY', `${out}: the folder is not empty`, {
      hint: 'name a new folder, or remove this one',
    });
  }
  await mkdir(out, { recursive: true });
  const { bavail, bsize } = await statfs(out);
  const free = bavail * bsize;
  if (free >= totalBytes + SPARE_DISK_BYTES) return;
  throw new CheckpointError(
    'E_DISK_SPACE',
    `${out}: the weights take ${formatBytes(totalBytes)}, the disk has ${formatBytes(free)} free`,
    { hint: 'free some space, or write to another disk', context: { needed: totalBytes, free } },
  );
}
