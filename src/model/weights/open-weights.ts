/** Opens published weights, whatever their files: safetensors or PyTorch, one file or shards behind an index. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CheckpointError } from '../../base/errors.js';
import { RangedFile } from './ranged-file.js';
import { openSafetensors } from './safetensors.js';
import { checkShards, MAX_INDEX_BYTES, parseShardIndex } from './shard-index.js';
import type { WeightSource } from './source.js';
import { openTorchArchive } from './torch/torch-archive.js';
import { FileWeightSource, type WeightFile } from './weight-file.js';

/** What a folder is searched for, in this order: safetensors before pickles, as the Hub's own readers do. */
const FOLDER_NAMES = [
  'model.safetensors',
  'model.safetensors.index.json',
  'adapter_model.safetensors',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
  'adapter_model.bin',
];
const TORCH_FILE = /\.(?:bin|pt|pth|pyth|ckpt)$/i;
const INDEX_CODES = { file: 'E_WEIGHTS_FILE', truncated: 'E_WEIGHTS_FILE' };

/**
 * Opens a file, or the weights of a folder; headers are checked, values are read on demand. The caller closes the result.
 *
 * @param path a folder, `*.safetensors`, `*.bin|pt|pth|pyth|ckpt`, or an index of shards `*.index.json`
 * @throws CheckpointError E_WEIGHTS_ABSENT, E_WEIGHTS_FILE, E_WEIGHTS_FORMAT; E_SAFETENSORS_*, E_TORCH_*, E_PICKLE_*, E_SHARD_*
 *   when a file breaks a rule of its format
 */
export async function openWeights(path: string): Promise<WeightSource> {
  const file = await findFile(path);
  if (file.endsWith('.index.json')) return openShards(path, file);
  return new FileWeightSource(path, [await openFile(file)]);
}

async function findFile(path: string): Promise<string> {
  const found = await stat(path).catch((cause: unknown) => {
    const message = `${path}: cannot be opened (${(cause as Error).message}).`;
    throw new CheckpointError('E_WEIGHTS_ABSENT', message, { hint: 'Give a folder or file of weights.', cause });
  });
  if (!found.isDirectory()) return path;
  const entries = await readdir(path, { withFileTypes: true });
  const names = entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
  const name = FOLDER_NAMES.find((known) => names.includes(known)) ?? onlyOne(names);
  if (name !== undefined) return join(path, name);
  throw new CheckpointError('E_WEIGHTS_ABSENT', `${path}: none of ${FOLDER_NAMES.join(', ')} is in the folder.`, {
    hint: 'Name the file itself, or download it into the folder.',
  });
}

/** Weights under a name of their own, when there is no choice. */
function onlyOne(names: readonly string[]): string | undefined {
  const kinds = [/\.safetensors$/i, TORCH_FILE].map((kind) => names.filter((name) => kind.test(name)));
  const some = kinds.find((matches) => matches.length > 0);
  return some?.length === 1 ? some[0] : undefined;
}

async function openFile(path: string): Promise<WeightFile> {
  if (/\.safetensors$/i.test(path)) {
    const { file, tensors } = await openSafetensors(path);
    return { file, tensors, notes: [] };
  }
  if (TORCH_FILE.test(path)) return openTorchArchive(path);
  throw new CheckpointError('E_WEIGHTS_FORMAT', `${path}: ${basename(path)} names no known format of weights.`, {
    hint: 'Known are .safetensors, .bin, .pt, .pth, .pyth, .ckpt and .index.json.',
  });
}

async function openShards(path: string, indexPath: string): Promise<WeightSource> {
  const index = parseShardIndex(indexPath, await readIndex(indexPath));
  const files = new Map<string, WeightFile>();
  try {
    for (const shard of index.shards) files.set(shard, await openFile(join(dirname(indexPath), shard)));
    const notes = checkShards(indexPath, index, files);
    const all = [...files.values()];
    return new FileWeightSource(path, all, [...notes, ...all.flatMap((file) => file.notes)]);
  } catch (error) {
    await Promise.all([...files.values()].map(({ file }) => file.close()));
    throw error;
  }
}

async function readIndex(path: string): Promise<Uint8Array> {
  const file = await RangedFile.open(path, INDEX_CODES);
  try {
    if (file.byteLength > MAX_INDEX_BYTES) {
      const message = `${path}: the index has ${file.byteLength} bytes, allowed are ${MAX_INDEX_BYTES}.`;
      throw new CheckpointError('E_SHARD_INDEX', message);
    }
    return await file.read(file.byteLength, 0);
  } finally {
    await file.close();
  }
}
