import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { lazyOutputs } from '../../src/ops/lazy-outputs.js';
import { CPU, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';

describe('lazyOutputs', () => {
  useBackend(CPU);
  checkLeaks();

  it('computes once for all outputs, in whatever scope the first is asked for', () => {
    const saved: tf.Tensor[] = [];
    let runs = 0;
    const output = lazyOutputs(saved, () => {
      runs++;
      return [tf.scalar(1), tf.scalar(2)];
    });
    const second = tf.tidy(() => output(1));
    const first = tf.tidy(() => output(0));
    expect([runs, first.dataSync()[0], second.dataSync()[0]]).toEqual([1, 1, 2]);
    tf.dispose([first, second, ...saved]);
  });

  it('computes nothing and saves nothing unless asked', () => {
    const saved: tf.Tensor[] = [];
    lazyOutputs(saved, () => {
      throw new Error('must not run');
    });
    expect(saved).toEqual([]);
  });

  it('refuses an output that the kernel does not have', () => {
    const output = lazyOutputs([], () => []);
    expect(() => output(2)).toThrow('lazyOutputs: no output 2 among 0');
  });
});
