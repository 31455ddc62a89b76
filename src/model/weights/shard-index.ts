import { CheckpointError } from '../../base/errors.js';
import { HeaderScanner } from './header-scanner.js';
import type { WeightFile } from './weight-file.js';

/** The largest published indices take below 200 kB. */
export const MAX_INDEX_BYTES = 64 * 2 ** 20;
/** Each shard is an open file. */
const MAX_SHARDS = 512;
const SHOWN_PROBLEMS = 20;
/** An index must not make a reader leave its folder, nor name itself. */
const SHARD_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}\.(?:safetensors|bin)$/;

export interface ShardIndex {
  /** Shard file by tensor name. */
  readonly weightMap: ReadonlyMap<string, string>;
  /** In the order of their first tensor. */
  readonly shards: readonly string[];
  /** Bytes of all tensors, as the index says; undefined when it does not. */
  readonly totalSize: number | undefined;
}

/**
 * Parses `model.safetensors.index.json` or `pytorch_model.bin.index.json` as untrusted input.
 *
 * @throws CheckpointError E_SHARD_INDEX when it is not the JSON expected or a shard's name is no plain file name,
 *   E_SHARD_INDEX_DUPLICATE for a key that appears twice
 */
export function parseShardIndex(path: string, bytes: Uint8Array): ShardIndex {
  const fail = (reason: string) => new CheckpointError('E_SHARD_INDEX', `${path}: invalid index of shards: ${reason}.`);
  const scanner = new HeaderScanner(decodeUtf8(bytes, fail), (fault, reason) => {
    if (fault === 'syntax') return fail(reason);
    return new CheckpointError('E_SHARD_INDEX_DUPLICATE', `${path}: invalid index of shards: ${reason}.`);
  });
  const weightMap = new Map<string, string>();
  let totalSize: number | undefined;
  scanner.object('the index', (key) => {
    if (key === 'weight_map') {
      scanner.object('weight_map', (name) =>
        weightMap.set(name, scanner.string(`the shard of ${JSON.stringify(name)}`)),
      );
    } else if (key === 'metadata') {
      scanner.object('metadata', (field) => {
        const text = scanner.passOver(`metadata ${JSON.stringify(field)}`);
        // Some writers give it as 1.5e10 or "123"; what is no number says nothing.
        if (field === 'total_size' && /^[0-9]/.test(text)) totalSize = Number(text);
      });
    } else {
      scanner.passOver(`key ${JSON.stringify(key)}`);
    }
  });
  scanner.end();
  const shards = [...new Set(weightMap.values())];
  if (shards.length === 0) throw fail('its weight_map names no tensor');
  if (shards.length > MAX_SHARDS) throw fail(`it names ${shards.length} shards, expected at most ${MAX_SHARDS}`);
  for (const shard of shards) {
    if (!SHARD_NAME.test(shard)) {
      throw fail(`${JSON.stringify(shard)} is no plain name of a .safetensors or .bin file beside the index`);
    }
  }
  return { weightMap, shards, totalSize };
}

/**
 * Compares index and shards in both directions.
 *
 * @returns notes: a `total_size` that differs is said, not refused, since writers count tied tensors differently
 * @throws CheckpointError E_SHARD_MISMATCH listing every tensor that is not where the index says, or is in two shards
 */
export function checkShards(path: string, index: ShardIndex, files: ReadonlyMap<string, WeightFile>): string[] {
  const problems: string[] = [];
  for (const [name, shard] of index.weightMap) {
    if (!files.get(shard)?.tensors.has(name)) problems.push(`${name}: not in ${shard}, where the index has it`);
  }
  let bytes = 0;
  for (const [shard, { tensors }] of files) {
    for (const [name, { byteLength }] of tensors) {
      bytes += byteLength;
      const expected = index.weightMap.get(name);
      if (expected === undefined) problems.push(`${name}: in ${shard}, but not in the index`);
      else if (expected !== shard) problems.push(`${name}: in ${shard}, the index has it in ${expected}`);
    }
  }
  if (problems.length > 0) {
    const shown = problems.slice(0, SHOWN_PROBLEMS);
    if (shown.length < problems.length) shown.push(`... and ${problems.length - shown.length} more`);
    const message = `${path}: ${problems.length} tensors do not agree with the shards:\n  ${shown.join('\n  ')}`;
    throw new CheckpointError('E_SHARD_MISMATCH', message, {
      hint: 'Index and shards are of different downloads: fetch all of them again.',
    });
  }
  if (index.totalSize === undefined || index.totalSize === bytes) return [];
  return [`${path}: total_size says ${index.totalSize} bytes, the shards' tensors have ${bytes}.`];
}

function decodeUtf8(bytes: Uint8Array, fail: (reason: string) => Error): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw fail('it is not UTF-8 text');
  }
}
