/** Reads what tools/parity wrote: numbers of PyTorch, transformers and peft for tiny random models. */
import { join } from 'node:path';
import { packageRoot } from '../../src/base/package-root.js';
import type { Frames } from '../../src/model/frames.js';
import type { TensorData } from '../../src/model/weights/dtype.js';
import { openSafetensors } from '../../src/model/weights/safetensors.js';
import type { HostTensor } from '../support/host-tensor.js';

export const GOLDENS = join(packageRoot(), 'test', 'parity', 'goldens');

export class Golden {
  constructor(
    private readonly name: string,
    private readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: TensorData }>,
    /** Seed, versions and what the script found out. */
    readonly provenance: Readonly<Record<string, unknown>>,
  ) {}

  get names(): string[] {
    return [...this.tensors.keys()];
  }

  /** Names below a prefix, without it. */
  namesBelow(prefix: string): string[] {
    return this.names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  }

  tensor(name: string): HostTensor {
    const { shape, data } = this.entry(name);
    return { shape, values: Float64Array.from(data, Number) };
  }

  float32(name: string): Float32Array<ArrayBuffer> {
    return Float32Array.from(this.entry(name).data, Number);
  }

  ids(name: string): Int32Array<ArrayBuffer> {
    return Int32Array.from(this.entry(name).data, Number);
  }

  frames(name: string): Frames {
    const { shape, data } = this.entry(name);
    const [count = 0, height = 0, width = 0] = shape;
    const order = Array.from({ length: count }, (_, i) => i);
    return {
      ...{ data: Uint8Array.from(data, Number), count, height, width },
      ...{ indices: Int32Array.from(order), timesSec: Float64Array.from(order) },
    };
  }

  private entry(name: string) {
    const entry = this.tensors.get(name);
    if (entry === undefined) throw new RangeError(`${this.name} has no tensor ${name}`);
    return entry;
  }
}

export async function readGolden(name: string): Promise<Golden> {
  const file = await openSafetensors(join(GOLDENS, name));
  try {
    const tensors = new Map<string, { shape: readonly number[]; data: TensorData }>();
    for (const [key, { shape }] of file.tensors) tensors.set(key, { shape, data: await file.read(key) });
    const provenance: unknown = JSON.parse(file.metadata.get('provenance') ?? '{}');
    return new Golden(name, tensors, provenance as Record<string, unknown>);
  } finally {
    await file.close();
  }
}
