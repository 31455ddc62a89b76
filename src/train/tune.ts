/**
 * The training loop: epochs of grouped batches, optimizer steps, validation, best checkpoint, exact resume.
 *
 * The position of a run is one number, the optimizer step: batches, questions and dropout are functions of (seed, step).
 */
import { join } from 'node:path';
import { ConfigError } from '../base/errors.js';
import { Rng } from '../base/rng.js';
import { letterIds } from '../data/prompt.js';
import { readRecords } from '../data/read-records.js';
import { CorpusIndex } from '../data/tasks/corpus-index.js';
import { loadTokenizer, type Tokenizer } from '../data/tokenizer.js';
import { loadWeights } from '../model/load.js';
import { MimicChatModel } from '../model/mimic-chat.js';
import { type Batch, collate } from './batch.js';
import type { RunConfig } from './config.js';
import { EpochPlan } from './epoch-plan.js';
import { FeatureSource, type FrameSource } from './feature-source.js';
import { AdamW } from './optimizer.js';
import { RunFolder, type RunState } from './run-folder.js';
import { learningRateAt } from './schedule.js';
import { Trainer } from './trainer.js';
import { TrainingData } from './training-data.js';
import { Validation, type ValidationResult } from './validation.js';

export interface TuneOptions {
  readonly config: RunConfig;
  readonly frames: FrameSource;
  readonly resume: boolean;
  /** Ends the run after the step at hand, with a checkpoint. */
  readonly signal?: AbortSignal;
  readonly onStart?: (start: TuneStart) => void;
  readonly onStep?: (step: TuneStep) => void;
}

export interface TuneStart {
  readonly model: MimicChatModel;
  readonly totalSteps: number;
  readonly firstStep: number;
  readonly records: number;
  /** Parts without pretrained weights that stay frozen: worth a warning. */
  readonly freshFrozenParts: readonly string[];
}

export interface TuneStep {
  /** Optimizer steps done. */
  readonly step: number;
  readonly totalSteps: number;
  readonly epoch: number;
  readonly loss: number;
  readonly gradNorm: number;
  readonly learningRate: number;
  readonly tokens: number;
  readonly clips: number;
  readonly seconds: number;
  /** Share of the step's time spent waiting for decoded and encoded videos. */
  readonly dataWaitSec: number;
  readonly validation?: ValidationResult;
}

export interface TuneResult {
  readonly steps: number;
  readonly totalSteps: number;
  readonly reason: 'finished' | 'target reached' | 'no improvement' | 'interrupted';
  readonly best: RunState['best'];
  /** Folder of the best checkpoint, or of the last one when there was no validation. */
  readonly checkpointDir: string;
}

export async function tune(options: TuneOptions): Promise<TuneResult> {
  const { config, signal } = options;
  const tokenizerDir = config.tokenizer ?? config.base;
  if (tokenizerDir === undefined || config.data.train === undefined) {
    const key = config.data.train === undefined ? 'data.train' : 'base';
    throw new ConfigError('E_CONFIG_MISSING', `${key} is not set.`, {
      hint: key === 'base' ? 'Name the folder with the base weights and tokenizer.' : 'Name a JSONL file of records.',
    });
  }
  const tokenizer = await loadTokenizer(tokenizerDir);
  const model = new MimicChatModel(config.model);
  const folder = new RunFolder(config);
  let features: FeatureSource | undefined;
  let optimizer: AdamW | undefined;
  try {
    const freshFrozenParts = await prepareModel(model, config, tokenizer);
    const train = await trainingData(config, tokenizer, model);
    const validation = await validationOf(config, tokenizer, model);
    const plan = new EpochPlan(train, config);
    const totalSteps = Math.min(
      config.train.maxSteps ?? Number.POSITIVE_INFINITY,
      config.train.epochs * plan.stepsPerEpoch,
    );

    optimizer = createOptimizer(model, config);
    features = new FeatureSource(model, options.frames, config.train.featureCacheMiB * 2 ** 20);
    const trainer = new Trainer(model, optimizer, { seed: config.seed, labelSmoothing: config.train.labelSmoothing });
    let state: RunState = { step: 0, best: null, sinceBest: 0 };
    if (options.resume) state = await folder.restore(model, optimizer);
    options.onStart?.({ model, totalSteps, firstStep: state.step, records: train.records.length, freshFrozenParts });

    let reason: TuneResult['reason'] = 'finished';
    while (state.step < totalSteps) {
      const started = performance.now();
      const micro = plan.batchesOf(state.step);
      const next = state.step + 1 < totalSteps ? plan.batchesOf(state.step + 1) : [];
      const batches: Batch[] = [];
      let tokens = 0;
      let clips = 0;
      let dataWaitSec = 0;
      const { epoch } = plan.position(state.step);
      for (const records of micro) {
        const samples = Array.from(records, (record) => train.draw(epoch, record));
        const waited = performance.now();
        const videos = await features.take(samples.map(({ videoPath }) => videoPath));
        dataWaitSec += (performance.now() - waited) / 1000;
        batches.push(
          collate(
            samples.map((sample, i) => ({ ...sample, features: videos[i] ?? null })),
            config.train.lossReduction,
          ),
        );
        tokens += samples.reduce((sum, sample) => sum + sample.tokens.ids.length, 0);
        clips += samples.length;
      }
      // Their decoding runs in other processes while this step computes.
      features.prefetch(next.flatMap((records) => Array.from(records, (record) => train.videoPath(record))));

      const learningRate = learningRateAt(config.train, state.step, totalSteps);
      const { loss, gradNorm } = trainer.step(state.step, batches, learningRate);
      const step = state.step + 1;
      const last = step === totalSteps;
      const validated = validation !== null && (last || step % config.train.evalEverySteps === 0);
      const result = validated ? await validation.run(trainer, features) : undefined;
      const improved = result !== undefined && (state.best === null || result.accuracy > state.best.accuracy);
      state = {
        step,
        best: improved ? { step, accuracy: result.accuracy, loss: result.loss } : state.best,
        sinceBest: result === undefined ? state.sinceBest : improved ? 0 : state.sinceBest + 1,
      };
      const seconds = (performance.now() - started) / 1000;
      options.onStep?.({
        ...{ step, totalSteps, epoch, loss, gradNorm, learningRate, tokens, clips, seconds, dataWaitSec },
        ...(result === undefined ? {} : { validation: result }),
      });
      const { target, patience } = config.train.earlyStopping;
      if (result !== undefined && target !== undefined && result.accuracy >= target) reason = 'target reached';
      else if (patience !== undefined && state.sinceBest >= patience) reason = 'no improvement';
      else if (signal?.aborted) reason = 'interrupted';
      const ends = last || reason !== 'finished';
      if (ends || improved || step % config.train.saveEverySteps === 0) {
        await folder.save(
          state,
          model,
          optimizer,
          [join(tokenizerDir, 'tokenizer.json')],
          improved || (ends && state.best === null),
        );
      }
      if (ends) break;
      // Timers and signals get their turn.
      await new Promise(setImmediate);
    }
    return { steps: state.step, totalSteps, reason, best: state.best, checkpointDir: folder.bestDir };
  } finally {
    features?.dispose();
    optimizer?.dispose();
    model.dispose();
  }
}

/** Base weights, then seeded values for what the base does not hold, then what is trained. @returns fresh but frozen parts */
async function prepareModel(model: MimicChatModel, config: RunConfig, tokenizer: Tokenizer): Promise<string[]> {
  if (tokenizer.vocabSize > config.model.language.vocabSize) {
    throw new ConfigError(
      'E_VOCAB_SIZE',
      `The tokenizer has ${tokenizer.vocabSize} tokens, model.language.vocabSize is ${config.model.language.vocabSize}.`,
      { hint: `Set --model.language.vocabSize=${tokenizer.vocabSize}, or give the tokenizer the model was made with.` },
    );
  }
  if (config.base !== undefined) await loadWeights(model.parameters, config.base, { partial: true });
  const fresh = model.parameters.list().filter((parameter) => !parameter.hasValue);
  model.parameters.initialize(new Rng(config.seed, 'weights'));
  const owned = new Set(model.parameters.countByPart().map(({ part }) => part));
  // A switched-off part (an ablation) is not an error of the configuration that names it.
  model.parameters.train(config.train.parts.filter((part) => owned.has(part)));
  return [...new Set(fresh.filter((parameter) => !parameter.trainable).map(({ part }) => part))];
}

async function trainingData(config: RunConfig, tokenizer: Tokenizer, model: MimicChatModel): Promise<TrainingData> {
  const { records, root } = await readRecords(config.data.train ?? '', config.data.root);
  return new TrainingData(records, root, new CorpusIndex(records), tokenizer, model, config);
}

async function validationOf(
  config: RunConfig,
  tokenizer: Tokenizer,
  model: MimicChatModel,
): Promise<Validation | null> {
  if (config.data.validation === undefined) return null;
  const { records, root } = await readRecords(config.data.validation, config.data.root);
  return new Validation(records, root, tokenizer, model, letterIds(tokenizer), config);
}

function createOptimizer(model: MimicChatModel, config: RunConfig): AdamW {
  const { beta1, beta2, eps, weightDecay, maxGradNorm, loraLearningRateScale } = config.train;
  const parameters = model.parameters.trainable();
  const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  return new AdamW(
    parameters.map((parameter) => ({
      name: parameter.name,
      // Read at each step: a resume replaces the values after the optimizer was made.
      get value() {
        return parameter.value;
      },
      lrScale: parameter.part === 'lora' ? loraLearningRateScale : 1,
    })),
    {
      ...{ beta1, beta2, eps, weightDecay, maxGradNorm },
      setValue: (name, tensor) => {
        const parameter = byName.get(name);
        if (parameter !== undefined) parameter.value = tensor;
      },
    },
  );
}
