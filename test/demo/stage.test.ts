import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.js';
import { runStage, type StageProgress } from '../../src/demo/foundation/stage.js';
import { ParameterStore, zeros } from '../../src/model/parameters.js';
import { CPU, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';

describe('foundation stage', () => {
  useBackend(CPU);
  checkLeaks();

  /** Minimises (w - 3)^2; "accuracy" is read from a list, one an evaluation. */
  async function stage(accuracies: readonly number[]) {
    const store = new ParameterStore();
    const w = store.declare('w', [1], 'lora', zeros);
    store.initialize(new Rng(0));
    const seen: StageProgress[] = [];
    let evaluations = 0;
    const result = await runStage({
      ...{ name: 'toy', parameters: [w], learningRate: 0.1, beta2: 0.99, warmupSteps: 2, cycleSteps: 20, maxCycles: 2 },
      ...{ evaluateEvery: 10, gate: 0.9 },
      loss: () => tf.sum(tf.square(tf.sub(w.value, 3))) as tf.Scalar,
      evaluate: () => accuracies[evaluations++] ?? 0,
      onProgress: (progress) => seen.push(progress),
    });
    const value = w.value.dataSync()[0] ?? 0;
    store.dispose();
    return { result, seen, value };
  }

  it('ends at the first evaluation that passes the gate', async () => {
    const { result, seen, value } = await stage([0.5, 0.7, 0.95]);
    expect(result).toEqual({ name: 'toy', steps: 30, accuracy: 0.95, gate: 0.9, passed: true });
    expect(seen).toHaveLength(30);
    expect(seen.filter(({ accuracy }) => accuracy !== undefined).map(({ step }) => step)).toEqual([10, 20, 30]);
    expect(value).toBeGreaterThan(1);
  });

  it('ends after its last cycle when the gate stays shut, and says so', async () => {
    const { result } = await stage([0.1, 0.2, 0.3, 0.4]);
    expect(result).toEqual({ name: 'toy', steps: 40, accuracy: 0.4, gate: 0.9, passed: false });
  });
});
