/**
 * Stand-ins for the published encoders: each learns the facts it can see, as labels, with a throw-away head.
 *
 * The heads read the flattened tokens: a mean over places hides motion (measured, docs/LOG.md).
 *
 * Shape letters: B clips, D flattened features.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Rng } from '../../base/rng.js';
import { FACT_VALUES, type FactKind, type Facts } from '../../data/synth/facts.js';
import type { VideoFrames } from '../../model/frames.js';
import type { MimicChatModel } from '../../model/mimic-chat.js';
import { normal, ParameterStore, type Part } from '../../model/parameters.js';
import { patchify } from '../../model/patchify.js';
import { linear, linearCrossEntropy } from '../../ops/index.js';
import { runStage, type StageOptions, type StageResult } from './stage.js';

export interface LabelledClip {
  readonly facts: Facts;
  readonly video: VideoFrames;
}

type Schedule = Pick<
  StageOptions,
  'learningRate' | 'warmupSteps' | 'cycleSteps' | 'maxCycles' | 'evaluateEvery' | 'gate' | 'onProgress'
>;

export interface EncoderStageOptions extends Schedule {
  readonly branch: 'spatial' | 'temporal';
  readonly facts: readonly FactKind[];
  readonly batchSize: number;
  readonly train: readonly LabelledClip[];
  readonly validation: readonly LabelledClip[];
  readonly rng: Rng;
}

export async function trainEncoder(model: MimicChatModel, options: EncoderStageOptions): Promise<StageResult> {
  const { branch, facts, batchSize, train, validation, rng } = options;
  const part: Part = branch === 'spatial' ? 'spatial encoder' : 'temporal encoder';
  const encode = (clips: readonly LabelledClip[], random: Rng | null) =>
    branch === 'spatial' ? encodeOneFrame(model, clips, random) : encodeSequences(model, clips);
  const width = tf.tidy(() => encode(train.slice(0, 1), null).shape[1]);

  const heads = new ParameterStore();
  const headOf = new Map(
    facts.map((fact) => {
      const shape = [valuesOf(fact).length, width];
      return [fact, heads.declare(`head.${fact}`, shape, part, normal(width ** -0.5))] as const;
    }),
  );
  heads.initialize(rng.fork('heads'));
  const labelsOf = (clips: readonly LabelledClip[], fact: FactKind) =>
    Int32Array.from(clips, (clip) => valuesOf(fact).indexOf(clip.facts[fact]));

  const loss = (step: number): tf.Scalar => {
    const random = rng.fork(`step/${step}`);
    const clips = Array.from({ length: batchSize }, () => random.pick(train));
    const features_BD = encode(clips, random);
    const losses = [...headOf].map(([fact, head]) => {
      return tf.mean(linearCrossEntropy(features_BD, head.value, labelsOf(clips, fact), { labelSmoothing: 0 }));
    });
    return tf.addN(losses) as tf.Scalar;
  };
  const evaluate = (): number => {
    let right = 0;
    for (let start = 0; start < validation.length; start += batchSize) {
      const clips = validation.slice(start, start + batchSize);
      for (const [fact, head] of headOf) {
        const best = tf.tidy(() => tf.argMax(linear(encode(clips, null), head.value), 1));
        const labels = labelsOf(clips, fact);
        for (const [i, value] of best.dataSync().entries()) if (value === labels[i]) right++;
        best.dispose();
      }
    }
    return right / (validation.length * facts.length);
  };

  const own = model.parameters.list().filter((parameter) => parameter.part === part);
  try {
    return await runStage({
      ...options,
      name: `${branch} encoder`,
      beta2: 0.999,
      parameters: [...own, ...heads.list()],
      loss,
      evaluate,
    });
  } finally {
    heads.dispose();
  }
}

const valuesOf = (fact: FactKind): readonly string[] => FACT_VALUES[fact];

/** One sampled frame a clip (a random one in training): still facts stand in every frame. */
function encodeOneFrame(model: MimicChatModel, clips: readonly LabelledClip[], random: Rng | null): tf.Tensor2D {
  const patches = clips.map(({ video }) => {
    const frame = random === null ? 0 : random.int(video.spatial.count);
    return patchify(video.spatial, frame, 1, model.config.spatial);
  });
  return tf.reshape(model.spatialEncoder.apply(tf.concat(patches, 0)), [clips.length, -1]);
}

function encodeSequences(model: MimicChatModel, clips: readonly LabelledClip[]): tf.Tensor2D {
  const encoder = model.temporalEncoder;
  if (encoder === null) throw new Error('The temporal stage needs a model with a temporal encoder.');
  const patches = clips.map(({ video }) => patchify(video.temporal, 0, video.temporal.count, model.config.temporal));
  return tf.reshape(encoder.apply(tf.stack(patches) as tf.Tensor4D), [clips.length, -1]);
}
