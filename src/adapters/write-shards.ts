/** Weights of any size as the Hub keeps them: one model.safetensors, or shards and an index that names each tensor's. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { entryBytes, type SafetensorsEntry, writeSafetensors } from '../model/weights/safetensors-writer.js';

/** What transformers cuts at by default. */
export const MAX_SHARD_BYTES = 5e9;

/**
 * Writes the entries into an existing folder, in their order; only one tensor need be in memory.
 *
 * @returns the names of the weight files
 */
export async function writeShards(
  dir: string,
  entries: readonly SafetensorsEntry[],
  options: { readonly maxShardBytes?: number; readonly onTensor?: (name: string) => void } = {},
): Promise<string[]> {
  const shards = splitShards(entries, options.maxShardBytes ?? MAX_SHARD_BYTES);
  const total = String(shards.length).padStart(5, '0');
  const weightMap: Record<string, string> = {};
  const files: string[] = [];
  for (const [index, shard] of shards.entries()) {
    const number = String(index + 1).padStart(5, '0');
    const file = shards.length === 1 ? 'model.safetensors' : `model-${number}-of-${total}.safetensors`;
    const watched = shard.map((entry): SafetensorsEntry => {
      const { data } = entry;
      if (typeof data !== 'function') return entry;
      return {
        ...entry,
        data: () => {
          options.onTensor?.(entry.name);
          return data();
        },
      };
    });
    // The key and value that transformers demands of files it loads.
    await writeSafetensors(join(dir, file), watched, { format: 'pt' });
    for (const { name } of shard) weightMap[name] = file;
    files.push(file);
  }
  if (shards.length > 1) {
    const totalSize = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
    const index = { metadata: { total_size: totalSize }, weight_map: weightMap };
    await writeFile(join(dir, 'model.safetensors.index.json'), `${JSON.stringify(index, null, 2)}\n`);
  }
  return files;
}

/** Greedy, in order; a tensor larger than the limit has a shard of its own. */
function splitShards(entries: readonly SafetensorsEntry[], maxBytes: number): SafetensorsEntry[][] {
  const shards: SafetensorsEntry[][] = [[]];
  let bytes = 0;
  for (const entry of entries) {
    const size = entryBytes(entry);
    if (bytes > 0 && bytes + size > maxBytes) {
      shards.push([]);
      bytes = 0;
    }
    shards.at(-1)?.push(entry);
    bytes += size;
  }
  return shards;
}
