/**
 * One rank of ShardedAdamW beside AdamW in the same process, which gets the sum of all ranks' gradients, made in the
 * order of the ranks. Prints the largest differences of parameters and state.
 */
import * as tf from '@tensorflow/tfjs-core';
import { useBackend } from '../../../src/backend/select.js';
import { Rng } from '../../../src/base/rng.js';
import { openGroup } from '../../../src/distributed/open-communicator.js';
import { withNccl } from '../../../src/distributed/with-nccl.js';
import { AdamW, type AdamWOptions, type Optimizer } from '../../../src/train/optimizer.js';
import { Ranks } from '../../../src/train/ranks.js';
import { ShardedAdamW } from '../../../src/train/sharded-adam-w.js';

const [kind = 'native'] = process.argv.slice(2);
const group = openGroup();
const backend = kind === 'cpu' ? 'cpu' : 'native';
await useBackend({ backend, device: kind === 'cuda' ? 'cuda:0' : 'cpu', precision: 'fp32', threads: 1 });
const communicator = withNccl(group.communicator);
const { rank, size } = communicator;

/** Sizes that no number of ranks divides; one parameter spans several slices, one is smaller than the padding. */
const SHAPES: Readonly<Record<string, number[]>> = { a: [5, 7], b: [3], c: [101], d: [2, 2], unused: [6] };

/** Rank r's gradients of a step: of `c` only rank 0 has one, of `unused` nobody. */
function gradientsOf(r: number, step: number): Map<string, Float32Array> {
  const rng = new Rng(3, `gradients-${r}`).fork(step);
  const draws = (name: string) => name !== 'unused' && (name !== 'c' || r === 0);
  return new Map(
    Object.entries(SHAPES).flatMap(([name, shape]) => {
      const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => rng.normal());
      return draws(name) ? [[name, values]] : [];
    }),
  );
}

function summed(step: number): Map<string, Float32Array> {
  const sum = new Map<string, Float32Array>();
  for (let r = 0; r < size; r++) {
    for (const [name, values] of gradientsOf(r, step)) {
      const held = sum.get(name) ?? new Float32Array(values.length);
      sum.set(
        name,
        held.map((value, i) => value + (values[i] ?? 0)),
      );
    }
  }
  return sum;
}

function setUp(
  make: (parameters: { name: string; value: tf.Tensor; lrScale: number }[], options: AdamWOptions) => Optimizer,
  maxGradNorm: number,
) {
  const values = new Map(
    Object.entries(SHAPES).map(([name, shape]) => {
      const rng = new Rng(1, name);
      const start = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => rng.normal());
      return [name, tf.keep(tf.tensor(start, shape))];
    }),
  );
  const currentOf = (name: string) => values.get(name) ?? tf.scalar(0);
  const parameters = Object.keys(SHAPES).map((name) => ({
    name,
    get value() {
      return currentOf(name);
    },
    lrScale: name === 'd' ? 3 : 1,
  }));
  const setValue = (name: string, value: tf.Tensor) => void values.set(name, value);
  const optimizer = make(parameters, { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1, maxGradNorm, setValue });
  const step = (gradients: ReadonlyMap<string, Float32Array>, number: number) => {
    const tensors = new Map([...gradients].map(([name, data]) => [name, tf.tensor(data, SHAPES[name])]));
    const norm = optimizer.step(tensors, { lr: 0.01 / number, reached: new Set(['a', 'b', 'c', 'd']) });
    tf.dispose([...tensors.values()]);
    return norm;
  };
  const read = () => [...values.values()].flatMap((value) => [...value.dataSync()]);
  return { optimizer, step, read };
}

const flat = (optimizer: Optimizer) => optimizer.state().flatMap(({ step, m, v }) => [step, ...m, ...v]);
const largest = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length ? Math.max(0, ...a.map((value, i) => Math.abs(value - (b[i] ?? 0)))) : Number.POSITIVE_INFINITY;

const ranks = new Ranks(communicator);
const results: Record<string, number> = {};
for (const maxGradNorm of [0, 1]) {
  const before = tf.memory().numTensors;
  const sharded = setUp((parameters, options) => new ShardedAdamW(parameters, options, ranks), maxGradNorm);
  const whole = setUp((parameters, options) => new AdamW(parameters, options), maxGradNorm);
  const held = tf.memory().numTensors;
  for (let number = 1; number <= 5; number++) {
    const norms = [sharded.step(gradientsOf(rank, number), number), whole.step(summed(number), number)];
    results[`norm ${maxGradNorm}`] = Math.max(
      results[`norm ${maxGradNorm}`] ?? 0,
      Math.abs((norms[0] ?? 0) - (norms[1] ?? 0)),
    );
  }
  results[`values ${maxGradNorm}`] = largest(whole.read(), sharded.read());
  const state = flat(sharded.optimizer);
  if (rank === 0) results[`state ${maxGradNorm}`] = largest(flat(whole.optimizer), state);
  results[`leaks ${maxGradNorm}`] = tf.memory().numTensors - held;

  // What one process saved, all take up, and save again.
  const saved = whole.optimizer.state();
  sharded.optimizer.restore(saved);
  const again = sharded.optimizer.state();
  if (rank === 0)
    results[`restored ${maxGradNorm}`] =
      JSON.stringify(again.map(({ m, v, step }) => [[...m], [...v], step])) ===
      JSON.stringify(saved.map(({ m, v, step }) => [[...m], [...v], step]))
        ? 0
        : 1;
  sharded.optimizer.dispose();
  whole.optimizer.dispose();
  results[`left ${maxGradNorm}`] = tf.memory().numTensors - before - 2 * Object.keys(SHAPES).length;
}
process.stdout.write(`${JSON.stringify({ rank, nccl: communicator.name.startsWith('NCCL') ? 1 : 0, ...results })}\n`);
communicator.dispose();
