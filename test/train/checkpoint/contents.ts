import type { SafetensorsEntry } from '../../../src/model/weights/safetensors-writer.js';
import type { CheckpointContents } from '../../../src/train/checkpoint/save.js';

/** A small checkpoint whose every value depends on the step. */
export function contentsOf(step: number): CheckpointContents {
  const fill = (count: number, offset: number) =>
    Float32Array.from({ length: count }, (_, i) => Math.sin(step + i * offset));
  const weights: SafetensorsEntry[] = [
    { name: 'fusion.gate', dtype: 'F32', shape: [5], data: fill(5, 1) },
    { name: 'layers.0.lora_A', dtype: 'F32', shape: [2, 3], data: fill(6, 2) },
  ];
  return {
    step,
    weights,
    optimizer: weights.map(({ name, shape }) => {
      const count = shape.reduce((product, size) => product * size, 1);
      return { name, step, m: fill(count, 3), v: fill(count, 4).map(Math.abs) };
    }),
    state: { step, epoch: 1, position: step * 4, rng: { seed: 1, stream: 2, position: step }, bestAccuracy: 0.1 + 0.2 },
    configYaml: `name: test\nmodel:\n  lora: { rank: 2 }\n`,
    backend: 'native',
  };
}
