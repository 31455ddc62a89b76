/** Which tensor goes to which file, and how a file is streamed. */
import { type FileHandle, open } from 'node:fs/promises';
import { fillNormals, type QuantileTable, quantileTable, streamKey } from './normal-stream.js';
import { type RandomTensor, sizeOf } from './tensors.js';

export interface Shard {
  /** File name. */
  readonly name: string;
  readonly tensors: readonly RandomTensor[];
}

export type StoredDtype = 'BF16' | 'F32';
const ELEMENT_BYTES = { BF16: 2, F32: 4 } as const;

/** Two buffers of this size: one is filled while the other is written. */
const CHUNK_BYTES = 8 * 2 ** 20;

export function tensorBytes(tensor: RandomTensor, dtype: StoredDtype): number {
  return sizeOf(tensor.shape) * ELEMENT_BYTES[dtype];
}

/** As transformers does it: in order, a new file whenever the next tensor would exceed the limit. One file has the plain name. */
export function splitIntoShards(tensors: readonly RandomTensor[], dtype: StoredDtype, shardBytes: number): Shard[] {
  const groups: RandomTensor[][] = [];
  let filled = Number.POSITIVE_INFINITY;
  for (const tensor of tensors) {
    const bytes = tensorBytes(tensor, dtype);
    if (filled + bytes > shardBytes) {
      groups.push([]);
      filled = 0;
    }
    groups.at(-1)?.push(tensor);
    filled += bytes;
  }
  const number = (n: number) => String(n).padStart(5, '0');
  return groups.map((group, i) => ({
    name: groups.length === 1 ? 'model.safetensors' : `model-${number(i + 1)}-of-${number(groups.length)}.safetensors`,
    tensors: group,
  }));
}

export interface ShardOptions {
  readonly seed: number;
  readonly dtype: StoredDtype;
  /** Called after each chunk with its size. */
  readonly onBytes: (bytes: number) => void;
}

/** Writes one safetensors file; a tensor of any size passes through two small buffers. */
export async function writeShard(path: string, tensors: readonly RandomTensor[], options: ShardOptions): Promise<void> {
  const sorted = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));
  const handle = await open(path, 'wx');
  try {
    await writeAll(handle, header(sorted, options.dtype));
    const writer = new ChunkWriter(handle, options);
    for (const tensor of sorted) await writer.write(tensor);
    await writer.end();
  } finally {
    await handle.close();
  }
}

/** FileHandle.write may write less than it was given. */
async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done)).bytesWritten;
}

function header(tensors: readonly RandomTensor[], dtype: StoredDtype): Buffer {
  const fields: Record<string, object> = { __metadata__: { format: 'pt' } };
  let end = 0;
  for (const tensor of tensors) {
    const begin = end;
    end += tensorBytes(tensor, dtype);
    fields[tensor.name] = { dtype, shape: tensor.shape, data_offsets: [begin, end] };
  }
  const json = Buffer.from(JSON.stringify(fields));
  const padded = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  padded.writeBigUInt64LE(BigInt(padded.length - 8));
  json.copy(padded, 8);
  return padded;
}

class ChunkWriter {
  private readonly buffers: QuantileTable[];
  private readonly tables = new Map<string, QuantileTable>();
  private pending: Promise<void> = Promise.resolve();
  private current = 0;

  constructor(
    private readonly handle: FileHandle,
    private readonly options: ShardOptions,
  ) {
    const make = () =>
      options.dtype === 'BF16' ? new Uint16Array(CHUNK_BYTES / 2) : new Float32Array(CHUNK_BYTES / 4);
    this.buffers = [make(), make()];
  }

  async write({ pieces, distribution }: RandomTensor): Promise<void> {
    const { seed } = this.options;
    const table = this.table(distribution);
    for (const { stream, start, count } of pieces) {
      const key = streamKey(seed, stream);
      for (let done = 0; done < count; ) {
        const buffer = this.buffers[this.current] as QuantileTable;
        const part = buffer.subarray(0, Math.min(buffer.length, count - done));
        fillNormals(part, table, key, start + done);
        await this.flush(part);
        done += part.length;
      }
    }
  }

  async end(): Promise<void> {
    await this.pending;
  }

  /** Waits for the write before this one, and starts this one. */
  private async flush(part: QuantileTable): Promise<void> {
    await this.pending;
    const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    this.pending = writeAll(this.handle, bytes).then(() => this.options.onBytes(bytes.length));
    this.current = 1 - this.current;
  }

  private table(distribution: RandomTensor['distribution']): QuantileTable {
    const name = `${distribution.mean} ${distribution.std}`;
    let table = this.tables.get(name);
    if (table === undefined) {
      table = quantileTable(distribution, this.options.dtype);
      this.tables.set(name, table);
    }
    return table;
  }
}
