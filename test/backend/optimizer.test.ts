import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { type AdamWUpdate, adamW, adamWMany, globalNorm } from '../../src/ops/index.js';
import { useBackend } from '../support/backends.js';
import { randomTensor, toDevice } from '../support/host-tensor.js';
import { checkLeaks } from '../support/leak-check.js';
import { NATIVE } from './native.js';

const SHARED = { beta1: 0.9, beta2: 0.99, eps: 1e-8, gradScale: 0.7 };
/** Nothing, one, a rest behind the last vector, several chunks of 4096 with a rest. */
const SHAPES = [[7, 3], [0, 5], [1], [4096], [3, 4099], [30]];

function updates(): AdamWUpdate[] {
  return SHAPES.map((shape, i) => {
    const draw = (name: string) => toDevice(randomTensor(`${name} ${i}`, shape));
    const v = tf.tidy(() => tf.square(draw('v')));
    return {
      param: draw('param'),
      grad: draw('grad'),
      m: draw('m'),
      v,
      lr: 0.01 * (i + 1),
      weightDecay: i % 2,
      step: i + 1,
    };
  });
}

const release = (some: readonly AdamWUpdate[]) => {
  for (const { param, grad, m, v } of some) tf.dispose([param, grad, m, v]);
};

const bits = (tensors: readonly tf.Tensor[]) => tensors.map((tensor) => Array.from(tensor.dataSync()));

describe('an update of many parameters on native', () => {
  useBackend(NATIVE);
  checkLeaks();

  it('gives the bits of one parameter after the other', () => {
    const [many, single] = [updates(), updates()];
    const alone = single.map(({ lr, weightDecay, step, ...tensors }) =>
      adamW(tensors, { ...SHARED, lr, weightDecay, step }),
    );
    const together = adamWMany(many, SHARED);
    expect(together.map(bits)).toEqual(alone.map(bits));
    tf.dispose([together.flat(), alone.flat()]);
    release(many);
    release(single);
  });

  it('takes no new memory for data that nobody else holds, and leaves shared data alone', () => {
    const [own, shared] = [updates(), updates()];
    const before = tf.memory().numDataBuffers;
    const inPlace = adamWMany(own, SHARED);
    expect(tf.memory().numDataBuffers).toBe(before);
    const clones = shared.map(({ param }) => param.clone());
    const kept = bits(clones);
    const copied = adamWMany(shared, SHARED);
    expect(bits(clones)).toEqual(kept);
    expect(copied.map(bits)).toEqual(inPlace.map(bits));
    tf.dispose([inPlace.flat(), copied.flat(), clones]);
    release(own);
    release(shared);
  });

  it('takes a norm whose parts have the bits of the sums of single tensors', () => {
    const tensors = SHAPES.map((shape, i) => toDevice(randomTensor(`norm ${i}`, shape)));
    const singles = tensors.map((x) => tf.engine().runKernel<tf.Tensor>('MimicSumSquares', { x }, {}));
    const total = bits(singles).reduce((sum, [value = 0]) => sum + value, 0);
    expect(globalNorm(tensors)).toBe(Math.sqrt(total));
    tf.dispose([tensors, singles]);
  });
});
