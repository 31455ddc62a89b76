/** The language model through TF.js: loss and gradients on the GPU beside those of the host device. */
import * as tf from '@tensorflow/tfjs-core';
import { useBackend } from '../../src/backend/select.js';
import { errorOf } from '../../src/backend/self-test/device-array.js';
import type { Verdict } from '../../src/backend/self-test/self-test.js';
import { Rng } from '../../src/base/rng.js';
import { ModelSchema } from '../../src/model/config.js';
import { Decoder } from '../../src/model/decoder.js';
import { ParameterStore, Scope } from '../../src/model/parameters.js';
import { linearCrossEntropy } from '../../src/ops/index.js';
import { disposeGradients, lossAndGradients } from '../../src/train/gradients.js';
import { expectation, type SuiteContext, type SuitePart } from '../suite.js';

const LENGTH = 70;
/** Sums in another order, through two layers: relative to the largest gradient of each parameter. */
const TOLERANCE = 1e-4;

const CONFIG = ModelSchema.parse({
  language: {
    ...{ hiddenSize: 128, intermediateSize: 176, numLayers: 2, numHeads: 4, numKvHeads: 2, vocabSize: 211 },
    ...{ ropeTheta: 10_000, embeddingStd: 0.5 },
  },
  lora: { rank: 4, alpha: 8, dropout: 0.1, targets: ['wqkv', 'wo', 'w1', 'w2', 'w3'] },
});

type Numbers = Readonly<Record<string, readonly number[]>>;

/** Loss and gradients of every adapter, on the current backend. */
function lossAndAdapters(): Numbers {
  const store = new ParameterStore();
  const decoder = new Decoder(new Scope(store, 'language_model', 'language model'), CONFIG.language, CONFIG.lora);
  store.train(['lora']);
  store.initialize(new Rng(3, 'weights'));
  // B starts at zero, which would make the gradient of A zero.
  const rng = new Rng(4, 'adapters');
  for (const parameter of store.trainable()) {
    const values = Float32Array.from({ length: parameter.size }, () => 0.05 * rng.normal());
    parameter.value = tf.tensor(values, [...parameter.shape], 'float32');
  }
  const { hiddenSize, vocabSize } = CONFIG.language;
  const x = tf.tensor(
    Float32Array.from({ length: LENGTH * hiddenSize }, () => rng.normal()),
    [1, LENGTH, hiddenSize],
    'float32',
  ) as tf.Tensor3D;
  const labels = Int32Array.from({ length: LENGTH }, (_, i) => (i % 4 === 0 ? -100 : rng.int(vocabSize)));
  const { loss, gradients } = lossAndGradients(store.trainable(), () => {
    return tf.tidy(() => {
      const hidden = tf.reshape(decoder.apply(x, { dropoutSeed: 5 }), [LENGTH, hiddenSize]) as tf.Tensor2D;
      const losses = linearCrossEntropy(hidden, decoder.outputWeight, labels, { labelSmoothing: 0.1 });
      return tf.mean(losses) as tf.Scalar;
    });
  });
  const numbers: Record<string, readonly number[]> = { loss: [loss] };
  for (const [name, gradient] of gradients) numbers[name] = [...gradient.dataSync()];
  disposeGradients(gradients);
  store.dispose();
  x.dispose();
  return numbers;
}

const largest = (values: readonly number[]) => values.reduce((top, value) => Math.max(top, Math.abs(value)), 1e-30);

function besideHost(got: Numbers, want: Numbers): Verdict[] {
  return Object.entries(want).map(([name, values]) => {
    const scale = 1 / largest(values);
    const scaled = (numbers: readonly number[]) => numbers.map((value) => value * scale);
    const error = errorOf(scaled(got[name] ?? []), scaled(values));
    return { name, error, tolerance: TOLERANCE, passed: error <= TOLERANCE };
  });
}

export async function* model({ index, host }: SuiteContext): AsyncIterable<SuitePart> {
  const device = `cuda:${index}`;
  await useBackend({ device, precision: 'fp32' });
  const got = lossAndAdapters();
  const tensors = tf.memory().numTensors;
  const again = lossAndAdapters();
  const repeats = expectation('two runs on the GPU agree bit for bit', () => {
    if (tf.memory().numTensors !== tensors) return `${tf.memory().numTensors - tensors} more tensors`;
    const wrong = Object.keys(got).find((name) => errorOf(again[name] ?? [], got[name] ?? []) !== 0);
    return wrong === undefined ? undefined : `${wrong} differs`;
  });
  await useBackend({ device, precision: 'bf16' });
  const rounded = lossAndAdapters();
  const inBf16 = expectation('bf16 storage gives a loss within 2 % of fp32', () => {
    const [loss = Number.NaN, wanted = Number.NaN] = [rounded['loss']?.[0], got['loss']?.[0]];
    return Math.abs(loss - wanted) < 0.02 * Math.abs(wanted) ? undefined : `got ${loss}, expected about ${wanted}`;
  });
  if (host === undefined) {
    const leftOut = 'the comparison with the host device, as there is no C++ compiler';
    yield { name: 'model', comparisons: [repeats, inBf16], leftOut };
    return;
  }
  await useBackend({ device: 'cpu', precision: 'fp32' });
  const verdicts = besideHost(got, lossAndAdapters());
  yield { name: 'model', comparisons: [repeats, inBf16, ...verdicts.map((verdict) => () => verdict)] };
}
