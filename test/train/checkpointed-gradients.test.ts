import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NativeBackend } from '../../src/backend/native-backend.js';
import { NullDevice } from '../../src/backend/null-device.js';
import { useBackend as startBackend } from '../../src/backend/select.js';
import { Rng } from '../../src/base/rng.js';
import { linearsOf } from '../../src/model/language-family.js';
import { type MimicChatModel, VISUAL_ID } from '../../src/model/mimic-chat.js';
import { PARTS, type Part } from '../../src/model/parameters.js';
import { VideoFeatures } from '../../src/model/video-features.js';
import { type Batch, collate } from '../../src/train/batch.js';
import { checkpointedLossAndGradients } from '../../src/train/checkpointed-gradients.js';
import { disposeGradients, type Gradients, lossAndGradients } from '../../src/train/gradients.js';
import { languageLoss } from '../../src/train/language-loss.js';
import { CPU, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';
import { tinyConfig, tinyModel } from '../support/tiny-model.js';

function makeBatch(model: MimicChatModel, textLength = 5): Batch {
  const rng = new Rng(4, 'batch');
  const visual = new Array<number>(model.numVisualTokens()).fill(VISUAL_ID);
  const normals = (rows: number, columns: number) =>
    tf.tensor2d(
      Float32Array.from({ length: rows * columns }, () => rng.normal()),
      [rows, columns],
    );
  const samples = [0, 1].map((i) => {
    const text = Array.from({ length: textLength + i }, () => rng.int(23));
    const ids = Int32Array.from([model.vidId, ...visual, model.sepId, ...text]);
    const labels = Int32Array.from(ids, (id, at) => (at >= ids.length - 2 ? id : -100));
    const answerTurn = labels.map((label) => (label === -100 ? -1 : 0));
    const features = new VideoFeatures(normals(8, 32), normals(4, 12));
    return { id: `s${i}`, tokens: { ids, labels, numVisual: visual.length, answerTurn }, features };
  });
  return collate(samples, 'token');
}

const options = { labelSmoothing: 0.1, normalizer: 4, dropoutSeed: 77 };
const TUNED: Part[] = [
  'spatial projector',
  'temporal projector',
  'gated fusion',
  'positions',
  'special tokens',
  'lora',
];
const bits = (gradients: Gradients) =>
  Object.fromEntries([...gradients].sort().map(([name, gradient]) => [name, Array.from(gradient.dataSync())]));

/** Both ways on the same batch. */
function compare(model: MimicChatModel, trained: readonly Part[]) {
  model.parameters.train(trained);
  const batch = makeBatch(model);
  const whole = lossAndGradients(model.parameters.trainable(), () => languageLoss(model, batch, options));
  const parts = checkpointedLossAndGradients(model, batch, options);
  const result = { whole: bits(whole.gradients), parts: bits(parts.gradients), losses: [whole.loss, parts.loss] };
  disposeGradients(whole.gradients);
  disposeGradients(parts.gradients);
  for (const features of batch.features) features.dispose();
  model.dispose();
  return result;
}

describe('gradient checkpointing', () => {
  useBackend(CPU);
  checkLeaks();
  const lora = { rank: 3, alpha: 6, dropout: 0.3 };

  it('gives loss and gradients of MIMIC tuning bit for bit, dropout included', () => {
    const { whole, parts, losses } = compare(tinyModel({ lora }), TUNED);
    expect(losses[0]).toBe(losses[1]);
    expect(Object.keys(parts)).toHaveLength(30);
    expect(parts).toEqual(whole);
  });

  it('gives those of Qwen2 with an adapter on every linear', () => {
    const language = { ...tinyConfig().language, family: 'qwen2' as const };
    const targets = [...linearsOf('qwen2')];
    const { whole, parts, losses } = compare(tinyModel({ lora: { ...lora, targets }, language }), TUNED);
    expect(losses[0]).toBe(losses[1]);
    expect(Object.keys(parts).filter((name) => name.includes('lora'))).toHaveLength(2 * 7 * 2);
    expect(parts).toEqual(whole);
  });

  it('gives those of the whole language model, its tied table at both ends included', () => {
    const language = { ...tinyConfig().language, tieWordEmbeddings: true };
    const trained = PARTS.filter((part) => !part.endsWith('encoder'));
    const { whole, parts } = compare(tinyModel({ lora, language }), trained);
    const table = 'language_model.model.tok_embeddings.weight';
    const { [table]: wholeTable, ...wholeRest } = whole;
    const { [table]: partsTable, ...partsRest } = parts;
    expect(partsRest).toEqual(wholeRest);
    // Two terms, one from each end: their sum is the same in either order.
    expect(partsTable).toEqual(wholeTable);
  });
});

describe('gradient checkpointing on the native backend', () => {
  beforeAll(() => startBackend({ backend: 'native', threads: 2 }));

  it('gives the same bits too', () => {
    const { whole, parts, losses } = compare(tinyModel({ lora: { rank: 3, alpha: 6, dropout: 0.3 } }), TUNED);
    expect(losses[0]).toBe(losses[1]);
    expect(parts).toEqual(whole);
  });
});

describe('memory of a training step, counted by the null device', () => {
  beforeAll(() => startBackend({ backend: 'null' }));
  afterAll(() => startBackend({ backend: 'native' }));

  /** Peak bytes of one step above the weights, on a device of its own: a device's peak only rises. */
  async function activationBytes(numLayers: number, checkpointing: boolean): Promise<number> {
    await startBackend({ backend: 'native' });
    tf.removeBackend('null');
    tf.registerBackend('null', () => new NativeBackend(new NullDevice()));
    await tf.setBackend('null');
    const model = tinyModel({ language: { ...tinyConfig().language, numLayers } });
    model.parameters.train(TUNED);
    const batch = makeBatch(model, 200);
    const backend = tf.backend();
    if (!(backend instanceof NativeBackend)) throw new Error('the null backend is not current');
    const before = backend.device.stats().liveBytes;
    const { gradients } = checkpointing
      ? checkpointedLossAndGradients(model, batch, options)
      : lossAndGradients(model.parameters.trainable(), () => languageLoss(model, batch, options));
    const peak = backend.device.stats().peakBytes - before;
    disposeGradients(gradients);
    for (const features of batch.features) features.dispose();
    model.dispose();
    return peak;
  }

  it('grows with depth without checkpointing, and by a block input alone with it', async () => {
    const without = (await activationBytes(12, false)) - (await activationBytes(4, false));
    const withIt = (await activationBytes(12, true)) - (await activationBytes(4, true));
    // 8 more blocks. Measured 2.0 MiB without, and 0.22 MiB with: exactly their 8 inputs of 2 x 215 x 16 floats.
    expect(withIt).toBeLessThan(0.12 * without);
  });
});
