import type { Parameter } from '../model/parameters.js';
import type { SafetensorsEntry } from '../model/weights/safetensors-writer.js';

/** A parameter of ours that a published model has no word for, at the value where it changes nothing. */
export function neutralEntry({ name, shape, size, init }: Parameter): SafetensorsEntry {
  const value = init.kind === 'constant' ? init.value : 0;
  return { name, dtype: 'F32', shape, data: () => new Float32Array(size).fill(value) };
}
