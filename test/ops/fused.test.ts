import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';
import { hasFused, runFused } from '../../src/ops/fused.js';
import { CPU, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';

const NAME = 'MimicDispatchTest';

describe('runFused', () => {
  useBackend(CPU);
  checkLeaks();
  afterEach(() => {
    if (hasFused(NAME)) tf.unregisterKernel(NAME, 'cpu');
  });

  it('runs the definition where the backend lacks the kernel, and keeps its result only', () => {
    const y = runFused(NAME, {}, {}, () => tf.add(tf.ones([2]), tf.ones([2])));
    expect(Array.from(y.dataSync())).toEqual([2, 2]);
    y.dispose();
  });

  it('runs the kernel, with its inputs and attributes, where the backend has it', () => {
    const x = tf.ones([2]);
    let seen: unknown;
    tf.registerKernel({
      kernelName: NAME,
      backendName: 'cpu',
      kernelFunc: ({ inputs, attrs }) => {
        seen = { inputs, attrs };
        return tf.zeros([3]);
      },
    });
    const y = runFused<tf.Tensor>(NAME, { x }, { eps: 0.5 }, () => {
      throw new Error('the definition must not run');
    });
    expect(seen).toEqual({ inputs: { x }, attrs: { eps: 0.5 } });
    expect(y.shape).toEqual([3]);
    tf.dispose([x, y]);
  });
});
