/** Plans a training run: one optimizer step of full-length samples on a device without memory. */
import { existsSync } from 'node:fs';
import { watchPhases } from '../base/phases.js';
import { readRecords } from '../data/read-records.js';
import { numVisualTokens } from '../model/config.js';
import { MimicChatModel } from '../model/mimic-chat.js';
import { loadRunConfig } from '../train/base-settings.js';
import { collate } from '../train/batch.js';
import { blankFrames, fullLengthSample } from '../train/blank-sample.js';
import type { RunConfig } from '../train/config.js';
import { createOptimizer } from '../train/prepare-run.js';
import { Trainer } from '../train/trainer.js';
import { allocateParameters } from './allocate.js';
import { type DevicePlan, onDevice, withSpeed } from './device.js';
import { MemoryMeter, nullDevice } from './memory-meter.js';
import { partPlans } from './parts.js';
import type { PhasePlan, Plan } from './plan.js';
import { processBytes } from './process-memory.js';

export interface TrainingPlanOptions extends DevicePlan {
  readonly configFile: string;
  readonly overrides?: readonly string[] | undefined;
  /** Frames of the full sequence, for the temporal branch. */
  readonly frames?: number | undefined;
}

const DEFAULT_FRAMES = 16;
const MIB = 2 ** 20;

/** @throws ConfigError, CheckpointError as the configuration and its base folders give them */
export async function planTraining(options: TrainingPlanOptions): Promise<Plan> {
  const { configFile, overrides = [], frames = DEFAULT_FRAMES } = options;
  const { config } = await loadRunConfig({ file: configFile, overrides });
  return onDevice(options, async (finish) => {
    const { train } = config;
    // Both now, while nothing is in use.
    const [meter, otherwise] = [new MemoryMeter(), new MemoryMeter()];
    const model = new MimicChatModel(config.model);
    const owned = new Set(model.parameters.countByPart().map(({ part }) => part));
    model.parameters.train(train.parts.filter((part) => owned.has(part)));
    meter.enter();
    await allocateParameters(model.parameters, config.base !== undefined);
    meter.leave('weights');
    const weightBytes = meter.stage('weights')?.after ?? 0;
    const { gradientCheckpointing } = train;
    const { optimizerBytes, featureBytes } = await meterStep(model, config, { meter, frames, gradientCheckpointing });
    const outside = processBytes();
    nullDevice().trim();
    await meterStep(model, config, { meter: otherwise, frames, gradientCheckpointing: !gradientCheckpointing });
    const parts = partPlans(model.parameters);
    model.dispose();

    const visual = numVisualTokens(config.model);
    const trained = parts.reduce((sum, part) => sum + part.trained, 0);
    const steps = await countSteps(config);
    const phases = ['spatial encoder', 'temporal encoder', 'step'].flatMap((name): PhasePlan[] => {
      const stage = meter.stage(name);
      return stage === undefined ? [] : [{ name, peakBytes: stage.peakBytes - weightBytes, flops: stage.flops }];
    });
    const total = train.maxLength;
    return finish({
      kind: 'training',
      source: configFile,
      tokens: { ...visual, text: total - visual.spatial - visual.temporal, total, limit: train.maxLength },
      parts,
      phases,
      memory: {
        weightBytes,
        gradientBytes: 4 * trained,
        optimizerBytes,
        featureCacheBytes: Math.max(0, train.featureCacheMiB * MIB - featureBytes),
        deviceBytes: meter.residentBytes,
        processBytes: outside,
      },
      training: {
        videosPerStep: train.batchSize * train.accumulate,
        gradientCheckpointing,
        otherwiseDeviceBytes: otherwise.residentBytes,
        ...(steps === undefined ? {} : { steps }),
      },
    });
  }).then((plan) => withSpeed(plan, options));
}

interface StepBytes {
  readonly optimizerBytes: number;
  readonly featureBytes: number;
}

/** Encoders on the videos of a micro-batch, then an optimizer step. */
async function meterStep(
  model: MimicChatModel,
  config: RunConfig,
  { meter, frames, gradientCheckpointing }: { meter: MemoryMeter; frames: number; gradientCheckpointing: boolean },
): Promise<StepBytes> {
  const { train, seed } = config;
  const { imageSize, numFrames } = config.model.spatial;
  const bytes = () => nullDevice().stats().liveBytes;
  const atStart = bytes();
  const optimizer = createOptimizer(model, config);
  const withOptimizer = bytes();
  const numTemporal = Math.min(frames, config.video.temporal.maxFrames ?? frames);
  const video = { spatial: blankFrames(numFrames, imageSize), temporal: blankFrames(numTemporal, imageSize) };
  const features = await watchPhases(meter, async () =>
    Array.from({ length: train.batchSize }, () => model.encodeFrames(video)),
  );
  const withFeatures = bytes();
  const tokens = fullLengthSample(model, train.maxLength);
  const samples = features.map((feature, i) => ({ id: String(i), tokens, features: feature }));
  const batch = collate(samples, train.lossReduction);
  const trainer = new Trainer(model, optimizer, { seed, labelSmoothing: train.labelSmoothing, gradientCheckpointing });
  const batches = Array.from({ length: train.accumulate }, () => batch);
  meter.run('step', () => trainer.step(0, batches, train.learningRate));
  for (const feature of features) feature.dispose();
  optimizer.dispose();
  return { optimizerBytes: withOptimizer - atStart, featureBytes: withFeatures - withOptimizer };
}

/** As far as the configuration and its records tell. */
async function countSteps({ train, data }: RunConfig): Promise<number | undefined> {
  if (data.train === undefined || !existsSync(data.train)) return train.maxSteps;
  const { records } = await readRecords(data.train, data.root);
  const perEpoch = Math.ceil(Math.ceil(records.length / train.batchSize) / train.accumulate);
  return Math.min(train.maxSteps ?? Number.POSITIVE_INFINITY, train.epochs * perEpoch);
}
