import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { CheckpointError, ConfigError, ShapeError } from '../../src/base/errors.js';
import { Rng } from '../../src/base/rng.js';
import { AdamW, type AdamWConfig, type OptimizedParameter } from '../../src/train/optimizer.js';
import { CPU, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';

const CONFIG: AdamWConfig = { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };
const START = { weight: [1, -2, 3, 0.5], bias: [0.25, -0.75] };

/** A model of one matrix and one vector, whose values live in a map as a parameter store would hold them. */
function makeModel(options: Partial<OptimizedParameter & AdamWConfig> = {}) {
  const values = new Map<string, tf.Tensor>([
    ['weight', tf.tensor2d(START.weight, [2, 2])],
    ['bias', tf.tensor1d(START.bias)],
  ]);
  const { decay, lrScale, ...config } = options;
  const own = { ...(decay === undefined ? {} : { decay }), ...(lrScale === undefined ? {} : { lrScale }) };
  const parameters = [...values].map(([name, value]) => ({ name, value, ...own }));
  const setValue = (name: string, value: tf.Tensor) => void values.set(name, value);
  const optimizer = new AdamW(parameters, { ...CONFIG, ...config, setValue });
  const read = (name: string) => Array.from(values.get(name)?.dataSync() ?? []);
  const dispose = () => {
    optimizer.dispose();
    tf.dispose([...values.values()]);
  };
  return { optimizer, read, dispose, values };
}

/** Runs `work` on gradients of the model's shapes, then frees them. */
function withGradients<T>(weight: number[], bias: number[], work: (gradients: Map<string, tf.Tensor>) => T): T {
  const gradients = new Map<string, tf.Tensor>([
    ['weight', tf.tensor2d(weight, [2, 2])],
    ['bias', tf.tensor1d(bias)],
  ]);
  try {
    return work(gradients);
  } finally {
    tf.dispose([...gradients.values()]);
  }
}

function randomGradients(step: number): [number[], number[]] {
  const rng = new Rng(step, 'gradients');
  const draw = (count: number) => Array.from({ length: count }, () => Math.fround(3 * rng.normal()));
  return [draw(4), draw(2)];
}

/** The slower twin: PyTorch's clip_grad_norm_ and AdamW on plain numbers, in float64. */
function referenceRun(steps: number, config: AdamWConfig, lr: number): { weight: number[]; bias: number[] } {
  const run = { weight: [...START.weight], bias: [...START.bias] };
  const m = [0, 0, 0, 0, 0, 0];
  const v = [0, 0, 0, 0, 0, 0];
  for (let step = 1; step <= steps; step++) {
    const gradient = randomGradients(step).flat();
    const norm = Math.hypot(...gradient);
    const clip = config.maxGradNorm === 0 ? 1 : Math.min(1, config.maxGradNorm / (norm + 1e-6));
    const all = [...run.weight, ...run.bias].map((value, i) => {
      const g = (gradient[i] ?? 0) * clip;
      m[i] = config.beta1 * (m[i] ?? 0) + (1 - config.beta1) * g;
      v[i] = config.beta2 * (v[i] ?? 0) + (1 - config.beta2) * g * g;
      const mHat = (m[i] ?? 0) / (1 - config.beta1 ** step);
      const vHat = (v[i] ?? 0) / (1 - config.beta2 ** step);
      const decayed = i < 4 ? value * (1 - lr * config.weightDecay) : value;
      return decayed - (lr * mHat) / (Math.sqrt(vHat) + config.eps);
    });
    run.weight = all.slice(0, 4);
    run.bias = all.slice(4);
  }
  return run;
}

function expectNear(got: number[], want: number[], tolerance: number): void {
  const errors = got.map((value, i) => Math.abs(value - (want[i] ?? Number.NaN)));
  expect(Math.max(...errors)).toBeLessThan(tolerance);
}

describe('AdamW', () => {
  useBackend(CPU);
  checkLeaks();

  it.each([[1], [0]])('follows PyTorch clipping and AdamW over 10 steps with maxGradNorm %d', (maxGradNorm) => {
    const model = makeModel({ maxGradNorm });
    for (let step = 1; step <= 10; step++) {
      const [weight, bias] = randomGradients(step);
      const norm = withGradients(weight, bias, (gradients) => model.optimizer.step(gradients, { lr: 0.02 }));
      expect(norm).toBeCloseTo(Math.hypot(...weight, ...bias), 5);
    }
    const want = referenceRun(10, { ...CONFIG, maxGradNorm }, 0.02);
    // Measured: 5.9e-7.
    expectNear(model.read('weight'), want.weight, 2e-6);
    expectNear(model.read('bias'), want.bias, 2e-6);
    model.dispose();
  });

  it('decays matrices, not vectors, unless a parameter says otherwise', () => {
    const decayed = (decay?: boolean) => {
      const model = makeModel(decay === undefined ? {} : { decay });
      withGradients([0, 0, 0, 0], [0, 0], (gradients) => model.optimizer.step(gradients, { lr: 0.5 }));
      const result = [model.read('weight')[0], model.read('bias')[0]];
      model.dispose();
      return result;
    };
    expect(decayed()).toEqual([Math.fround(0.95), 0.25]);
    expect(decayed(true)).toEqual([Math.fround(0.95), Math.fround(0.2375)]);
    expect(decayed(false)).toEqual([1, 0.25]);
  });

  it('multiplies the learning rate by lrScale', () => {
    const moved = (lrScale: number, lr: number) => {
      const model = makeModel({ lrScale });
      withGradients([1, 1, 1, 1], [1, 1], (gradients) => model.optimizer.step(gradients, { lr }));
      const result = [...model.read('weight'), ...model.read('bias')];
      model.dispose();
      return result;
    };
    expect(moved(2, 0.25)).toEqual(moved(1, 0.5));
    expect(moved(2, 0.25)).not.toEqual(moved(1, 0.25));
  });

  it('leaves a parameter without gradient, and its step count, alone', () => {
    const model = makeModel();
    const gradient = tf.tensor1d([1, 1]);
    model.optimizer.step(new Map([['bias', gradient]]), { lr: 0.1 });
    gradient.dispose();
    expect(model.read('weight')).toEqual(START.weight);
    expect(model.optimizer.state().map(({ name, step }) => [name, step])).toEqual([
      ['weight', 0],
      ['bias', 1],
    ]);
    model.dispose();
  });

  it.each([[Number.NaN], [Number.POSITIVE_INFINITY]])('names the first tensor with a %d and changes nothing', (bad) => {
    const model = makeModel();
    const before = model.optimizer.state();
    const step = () => withGradients([1, 1, 1, 1], [0, bad], (gradients) => model.optimizer.step(gradients, { lr: 1 }));
    expect(step).toThrow(ConfigError);
    expect(step).toThrow(`The gradient norm is ${bad}; the first bad gradient is of bias.`);
    expect([...model.read('weight'), ...model.read('bias')]).toEqual([...START.weight, ...START.bias]);
    expect(model.optimizer.state()).toEqual(before);
    model.dispose();
  });

  it('refuses gradients of parameters it does not train', () => {
    const model = makeModel();
    const gradient = tf.ones([2]);
    const step = () =>
      model.optimizer.step(
        new Map([
          ['bias', gradient],
          ['gate', gradient],
        ]),
        { lr: 1 },
      );
    expect(step).toThrow(ShapeError);
    expect(step).toThrow('AdamW got a gradient of gate, which it does not train.');
    gradient.dispose();
    model.dispose();
  });

  it('continues bit for bit from a saved state', () => {
    const advance = (model: ReturnType<typeof makeModel>, from: number, to: number) => {
      for (let step = from; step < to; step++) {
        const [weight, bias] = randomGradients(step);
        withGradients(weight, bias, (gradients) => model.optimizer.step(gradients, { lr: 0.02 }));
      }
    };
    const straight = makeModel();
    advance(straight, 0, 3);
    const state = straight.optimizer.state();
    const values = [...straight.values].map(([name, value]) => [name, value.clone()] as const);
    advance(straight, 3, 7);

    const kept = new Map(values);
    const setValue = (name: string, value: tf.Tensor) => void kept.set(name, value);
    const resumed = new AdamW(
      values.map(([name, value]) => ({ name, value })),
      { ...CONFIG, setValue },
    );
    resumed.restore(state);
    for (let step = 3; step < 7; step++) {
      withGradients(...randomGradients(step), (gradients) => resumed.step(gradients, { lr: 0.02 }));
    }
    for (const name of ['weight', 'bias'])
      expect(Array.from(kept.get(name)?.dataSync() ?? [])).toEqual(straight.read(name));
    expect(resumed.state()).toEqual(straight.optimizer.state());
    resumed.dispose();
    tf.dispose([...kept.values()]);
    straight.dispose();
  });

  it('goes on from a value loaded between steps when it is given as a getter, and refuses a stale one', () => {
    let value: tf.Tensor = tf.tensor1d([1, 2]);
    const getter = {
      name: 'x',
      get value() {
        return value;
      },
    };
    const setValue = (_: string, next: tf.Tensor) => {
      value.dispose();
      value = next;
    };
    const gradient = tf.zeros([2]);
    const [live, plain] = [getter, { name: 'x', value }].map(
      (parameter) => new AdamW([parameter], { ...CONFIG, setValue }),
    );
    setValue('x', tf.tensor1d([5, 6]));
    live?.step(new Map([['x', gradient]]), { lr: 0.1 });
    expect(Array.from(value.dataSync())).toEqual([5, 6]);
    expect(() => plain?.step(new Map([['x', gradient]]), { lr: 0.1 })).toThrow(
      'AdamW: the value of x was replaced by other code since the optimizer last saw it.',
    );
    live?.dispose();
    plain?.dispose();
    tf.dispose([value, gradient]);
  });

  it('refuses a state of other parameters with every difference, and keeps its own', () => {
    const model = makeModel();
    const [weight] = model.optimizer.state();
    if (weight === undefined) throw new RangeError('no state');
    const foreign = [
      { ...weight, m: new Float32Array(3) },
      { ...weight, name: 'gate' },
    ];
    const restore = () => model.optimizer.restore(foreign);
    expect(restore).toThrow(CheckpointError);
    expect(restore).toThrow(
      'weight: 3 values saved, 4 expected\n  bias: not in the saved state\n  gate: not trained here',
    );
    expect(model.optimizer.state()[0]).toEqual(weight);
    model.dispose();
  });
});
