import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, expect } from 'vitest';

/** After each test of the enclosing suite, the engine holds as many tensors and buffers as before it. */
export function checkLeaks(): void {
  let before: tf.MemoryInfo | undefined;
  beforeEach(() => {
    before = tf.memory();
  });
  afterEach(() => {
    const after = tf.memory();
    expect(after.numTensors, 'tensors that the test left').toBe(before?.numTensors);
    expect(after.numDataBuffers, 'data buffers that the test left').toBe(before?.numDataBuffers);
  });
}
