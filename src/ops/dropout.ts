import * as tf from '@tensorflow/tfjs-core';
import { philox4x32 } from '../base/rng.js';
import { defineGradient } from './define-gradient.js';
import { runFused } from './fused.js';
import { runKernel } from './kernel.js';
import { channelsOf, shapeError } from './shape-check.js';

export interface DropoutOptions {
  /** Share of elements set to zero, 0 <= rate < 1. */
  readonly rate: number;
  /** Names the mask: the same seed and size always drop the same elements. */
  readonly seed: number;
}

/** Second key word, ASCII 'drop': keeps masks apart from every other use of the seed. */
const KEY_WORD = 0x64726f70;

// A mask is a function of the seed, so the backward pass draws it again instead of saving it.
defineGradient('MimicDropout', {}, (dy, attrs) => ({ x: () => runKernel('MimicDropout', { x: dy }, attrs) }));

/** @throws ShapeError for a rate outside [0, 1). */
export function checkDropout(op: string, { rate }: { readonly rate: number }): void {
  if (!(rate >= 0 && rate < 1)) throw shapeError(op, 'rate', `${rate}`, 'a number from 0 up to, not including, 1');
}

/** The mask in host memory: 0 where dropped, else 1 / (1 - rate). */
function hostMask(size: number, { rate, seed }: DropoutOptions): Float32Array {
  const mask = new Float32Array(size);
  const words = new Uint32Array(4);
  const threshold = rate * 2 ** 32;
  const kept = 1 / (1 - rate);
  for (let i = 0; i < size; i++) {
    if (i % 4 === 0) {
      const block = i / 4;
      philox4x32([block >>> 0, Math.floor(block / 2 ** 32), 0, 0], [seed >>> 0, KEY_WORD], words);
    }
    mask[i] = (words[i % 4] ?? 0) < threshold ? 0 : kept;
  }
  return mask;
}

/**
 * Inverted dropout with a reproducible mask.
 *
 * Element i of the flattened input is dropped when word i mod 4 of Philox block floor(i / 4) is below rate * 2^32;
 * the others are divided by 1 - rate.
 *
 * @param x [...] float32
 * @returns a tensor of the same shape
 * @throws ShapeError for a rate outside [0, 1) or an x that is not float32
 * @source Srivastava et al. 2014, "Dropout"; Salmon et al. 2011 for the generator
 */
export function dropout(x: tf.Tensor, { rate, seed }: DropoutOptions): tf.Tensor {
  channelsOf('dropout', 'x', x);
  checkDropout('dropout', { rate });
  if (rate === 0) return x.clone();
  return runFused('MimicDropout', { x }, { rate, seed }, () =>
    tf.mul(x, tf.tensor(hostMask(x.size, { rate, seed }), x.shape, 'float32')),
  );
}
