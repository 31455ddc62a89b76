/** A parameter as an entry of a file to be written: rows of a source as they are, or widened, merged and rounded. */
import { type SafetensorsDtype, widener } from '../model/weights/dtype.js';
import type { SafetensorsEntry } from '../model/weights/safetensors-writer.js';
import { addLowRank } from './matrix-rows.js';
import type { Located, ScaledMerge } from './parameter-weights.js';
import { readFloat32, readRowsFloat32, readRowsRaw } from './read-tensor.js';

export const DTYPES = { bf16: 'BF16', fp32: 'F32' } as const;
export type DtypeName = keyof typeof DTYPES;

/** @param dtype default: the stored one */
export function parameterEntry(
  { name, shape }: { readonly name: string; readonly shape: readonly number[] },
  { source, rows }: Pick<Located, 'source' | 'rows'>,
  {
    dtype: wanted,
    adapters = [],
  }: { readonly dtype: DtypeName | undefined; readonly adapters?: readonly ScaledMerge[] },
): SafetensorsEntry {
  const stored = new Set(rows.map(({ tensor }) => source.tensors.get(tensor)?.dtype ?? 'F32'));
  const [only = 'F32'] = stored;
  const dtype = wanted === undefined ? writable(only) : DTYPES[wanted];
  if (adapters.length === 0 && stored.size === 1 && only === dtype) {
    return { name, dtype, shape, data: () => readRowsRaw(source, rows) };
  }
  const data = async () => {
    const weight = await readRowsFloat32(source, rows);
    for (const adapter of adapters) await add(weight, adapter);
    return weight;
  };
  return { name, dtype, shape, data };
}

/** Double precision and integers have no place in a model; the rest stays as it is. */
function writable(dtype: SafetensorsDtype): SafetensorsDtype {
  return dtype === 'F64' || widener(dtype) === undefined ? 'F32' : dtype;
}

async function add(weight: Float32Array, { source, a, b, scale }: ScaledMerge): Promise<void> {
  const rank = source.tensors.get(a)?.shape[0] ?? 0;
  addLowRank(weight, await readFloat32(source, b), await readFloat32(source, a), rank, scale);
}
