import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend as startBackend } from '../../src/backend/select.js';
import { Rng } from '../../src/base/rng.js';
import { LANGUAGE_FAMILIES, linearsOf } from '../../src/model/language-family.js';
import { type MimicChatModel, VISUAL_ID } from '../../src/model/mimic-chat.js';
import type { Part } from '../../src/model/parameters.js';
import { VideoFeatures } from '../../src/model/video-features.js';
import {
  type Batch,
  collate,
  collatePacked,
  type LossReduction,
  type TrainingSample,
  totalWeight,
} from '../../src/train/batch.js';
import { checkpointedLossAndGradients } from '../../src/train/checkpointed-gradients.js';
import { disposeGradients, type Gradients, lossAndGradients } from '../../src/train/gradients.js';
import { languageLoss } from '../../src/train/language-loss.js';
import { packFirstFit } from '../../src/train/packing.js';
import { CPU, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';
import { tinyConfig, tinyModel } from '../support/tiny-model.js';

describe('packFirstFit', () => {
  it('keeps every sample once, no row above the limit, and fills rows', () => {
    const rng = new Rng(1, 'lengths');
    const lengths = Array.from({ length: 200 }, () => 1 + rng.int(60));
    const rows = packFirstFit(lengths, 64);
    expect(rows.flat().sort((a, b) => a - b)).toEqual([...lengths.keys()]);
    const total = (row: readonly number[]) => row.reduce((sum, i) => sum + (lengths[i] ?? 0), 0);
    expect(Math.max(...rows.map(total))).toBeLessThanOrEqual(64);
    // Johnson's bound against the least number that the sum allows.
    expect(rows.length).toBeLessThanOrEqual((11 / 9) * Math.ceil(total([...lengths.keys()]) / 64) + 1);
    expect(packFirstFit(lengths, 64)).toEqual(rows);
  });

  it('orders rows by their first sample and samples by number, and gives a sample that is too long its own', () => {
    expect(packFirstFit([3, 9, 4, 3, 12], 10)).toEqual([[0, 2, 3], [1], [4]]);
  });
});

/** Three samples: a video, a text alone, two pictures' worth of tiles. Each is supervised in two turns of 1 and 2 tokens. */
function mixedSamples(model: MimicChatModel): TrainingSample[] {
  const rng = new Rng(4, 'batch');
  const normals = (rows: number, columns: number) =>
    tf.tensor2d(
      Float32Array.from({ length: rows * columns }, () => rng.normal()),
      [rows, columns],
    );
  const sample = (id: string, visual: number, textLength: number, features: VideoFeatures | null) => {
    const block = visual === 0 ? [] : [model.vidId, ...new Array<number>(visual).fill(VISUAL_ID), model.sepId];
    const ids = Int32Array.from([...block, ...Array.from({ length: textLength }, () => rng.int(23))]);
    const turnOf = (i: number) => (i === ids.length - 1 || i === ids.length - 2 ? 1 : i === ids.length - 4 ? 0 : -1);
    return {
      id,
      tokens: {
        ids,
        labels: ids.map((token, i) => (turnOf(i) === -1 ? -100 : token)),
        numVisual: visual,
        answerTurn: ids.map((_, i) => turnOf(i)),
      },
      features,
    };
  };
  return [
    sample('picture', 3 * 4, 6, new VideoFeatures(normals(3 * 4, 32), null, 'image')),
    sample('video', 12, 7, new VideoFeatures(normals(8, 32), normals(4, 12))),
    sample('text', 0, 9, null),
    sample('video 2', 12, 5, new VideoFeatures(normals(8, 32), normals(4, 12))),
  ];
}

const TUNED: Part[] = [
  'spatial projector',
  'temporal projector',
  'gated fusion',
  'positions',
  'special tokens',
  'lora',
];

/** Adapters and gates start at zero, which hides what runs through them. */
function shake(model: MimicChatModel): void {
  const rng = new Rng(9, 'shake');
  for (const parameter of model.parameters.trainable()) {
    if (parameter.init.kind !== 'constant') continue;
    const { value } = parameter.init;
    const values = Float32Array.from({ length: parameter.size }, () => value + 0.2 * rng.normal());
    parameter.value = tf.tensor(values, [...parameter.shape]);
  }
}

interface Result {
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

function run(model: MimicChatModel, batch: Batch, checkpointing: boolean): Result {
  const options = { labelSmoothing: 0.1, normalizer: totalWeight([batch]) };
  const { loss, gradients } = checkpointing
    ? checkpointedLossAndGradients(model, batch, options)
    : lossAndGradients(model.parameters.trainable(), () => languageLoss(model, batch, options));
  const copies = new Map([...gradients].map(([name, x]) => [name, x.dataSync<'float32'>().slice()]));
  disposeGradients(gradients satisfies Gradients);
  return { loss, gradients: copies };
}

/** Largest difference of a gradient, in units of that gradient's largest entry. */
function gradientError(a: Result, b: Result): number {
  expect([...a.gradients.keys()].sort()).toEqual([...b.gradients.keys()].sort());
  let worst = 0;
  for (const [name, x] of a.gradients) {
    const y = b.gradients.get(name) ?? new Float32Array();
    const scale = x.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
    for (const [i, value] of x.entries()) worst = Math.max(worst, Math.abs(value - (y[i] ?? Number.NaN)) / scale);
  }
  return worst;
}

function withModel<T>(family: (typeof LANGUAGE_FAMILIES)[number], use: (model: MimicChatModel) => T): T {
  const language = { ...tinyConfig().language, family };
  const model = tinyModel({ language, lora: { rank: 3, alpha: 6, dropout: 0, targets: [...linearsOf(family)] } });
  model.parameters.train(TUNED);
  shake(model);
  try {
    return use(model);
  } finally {
    model.dispose();
  }
}

function packedAgainstPadded(
  family: (typeof LANGUAGE_FAMILIES)[number],
  reduction: LossReduction,
  checkpointing: boolean,
) {
  return withModel(family, (model) => {
    const samples = mixedSamples(model);
    const padded = run(model, collate(samples, reduction), checkpointing);
    const packed = run(model, collatePacked(samples, reduction), checkpointing);
    const { segments: _, ...oneSample } = collatePacked(samples, reduction);
    const leaking = run(model, oneSample, checkpointing);
    for (const { features } of samples) features?.dispose();
    return { padded, packed, leaking };
  });
}

describe('a packed batch', () => {
  useBackend(CPU);
  checkLeaks();

  it.each(
    LANGUAGE_FAMILIES.flatMap((family) => [
      { family, reduction: 'token' as const, checkpointing: false },
      { family, reduction: 'square' as const, checkpointing: true },
      { family, reduction: 'answer' as const, checkpointing: true },
    ]),
  )('gives loss and gradients of the padded one: %o', ({ family, reduction, checkpointing }) => {
    const { padded, packed, leaking } = packedAgainstPadded(family, reduction, checkpointing);
    expect(packed.gradients.size).toBeGreaterThan(40);
    // Measured 0 and up to 1.8e-7: sums over rows in another order.
    expect(Math.abs(packed.loss - padded.loss) / padded.loss).toBeLessThan(5e-7);
    expect(gradientError(padded, packed)).toBeLessThan(1e-6);
    // The control: samples that see each other, at running positions, give something else.
    expect(Math.abs(leaking.loss - padded.loss) / padded.loss).toBeGreaterThan(1e-3);
  });

  it('refuses segments that do not fill its row', () => {
    withModel('qwen2', (model) => {
      const ids = Int32Array.of(1, 2, 3, 4);
      const decode = (batch: number, segments: number[]) => () =>
        tf.tidy(() => model.decode(model.embed(ids, batch, 4 / batch, null), { segments }));
      expect(decode(1, [2, 1])).toThrow('segments of 2 + 1 tokens for 1 rows of 4, expected one row that they fill');
      expect(decode(2, [2, 2])).toThrow('for 2 rows of 2');
    });
  });
});

describe('a packed batch on the native backend', () => {
  beforeAll(() => startBackend({ backend: 'native', threads: 1 }));

  it('gives loss and gradients of the padded one', () => {
    const { padded, packed } = packedAgainstPadded('internlm2', 'token', true);
    expect(Math.abs(packed.loss - padded.loss) / padded.loss).toBeLessThan(5e-7);
    expect(gradientError(padded, packed)).toBeLessThan(1e-6);
  });
});
