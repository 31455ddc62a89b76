/** What a run is made of, put together from its configuration. */
import { ConfigError } from '../base/errors.js';
import { Rng } from '../base/rng.js';
import { openCorpus } from '../data/corpus/open-corpus.js';
import type { InputFingerprint } from '../data/input-file.js';
import { fingerprintInput } from '../data/input-fingerprint.js';
import { letterIds } from '../data/prompt.js';
import { readRecords } from '../data/read-records.js';
import { loadTokenizer, type Tokenizer } from '../data/tokenizer.js';
import { baseLoads } from '../model/checkpoints/model-folders.js';
import { neutralParts } from '../model/checkpoints/neutral-parts.js';
import { tokenizerFiles } from '../model/checkpoints/tokenizer-files.js';
import { emptyParts, loadWeightsFrom } from '../model/load.js';
import { MimicChatModel } from '../model/mimic-chat.js';
import type { Part } from '../model/parameters.js';
import { EMPTY_LEDGER } from './bad-videos/ledger.js';
import { type BadVideoLedgers, openLedgers } from './bad-videos/open-ledgers.js';
import { type RunConfig, samplingOf } from './config.js';
import { EpochPlan } from './epoch-plan.js';
import type { FeatureSource, FrameSource } from './features/feature-source.js';
import { featureSource } from './features/open-features.js';
import { StepLoader } from './loader/step-loader.js';
import { AdamW, type AdamWOptions, type Optimizer } from './optimizer.js';
import { Ranks } from './ranks.js';
import { RunFolder, type RunState } from './run-folder.js';
import { ShardedAdamW } from './sharded-adam-w.js';
import { Trainer } from './trainer.js';
import { TrainingData } from './training-data.js';
import { Validation } from './validation.js';

export interface Run {
  readonly config: RunConfig;
  readonly model: MimicChatModel;
  readonly tokenizer: Tokenizer;
  readonly folder: RunFolder;
  readonly data: TrainingData;
  readonly validation: Validation | null;
  readonly plan: EpochPlan;
  readonly totalSteps: number;
  readonly loader: StepLoader;
  readonly features: FeatureSource;
  readonly optimizer: Optimizer;
  readonly ranks: Ranks;
  readonly trainer: Trainer;
  /** Files that a checkpoint carries along. */
  readonly extraFiles: readonly string[];
  /** How inputs are made: saved with each checkpoint, and compared when one is resumed from or used. */
  readonly input: InputFingerprint;
  /** Parts without pretrained weights that stay frozen. */
  readonly freshFrozenParts: readonly string[];
  /** Videos that are left out. */
  readonly badVideos: BadVideoLedgers;
  /** Where the run stands: at the start, or at the checkpoint that it resumes from. */
  readonly state: RunState;
  dispose(): void;
}

/** @throws ConfigError for a missing key, a run folder in use, or a changed configuration; DataError, CheckpointError for files */
export async function prepareRun(
  config: RunConfig,
  frames: FrameSource,
  resume: boolean,
  shared?: FeatureSource,
  ranks = new Ranks(),
): Promise<Run> {
  const tokenizerDir = config.tokenizer ?? config.base;
  if (tokenizerDir === undefined) throw missing('base', 'Name the folder with the base weights and tokenizer.');
  if (config.data.train === undefined) throw missing('data.train', 'Name a JSONL file of records.');
  const folder = new RunFolder(config);
  if (!resume) await folder.refuseWhenUsed();
  const tokenizer = await loadTokenizer(tokenizerDir);
  const model = new MimicChatModel(config.model);
  const features = shared ?? featureSource(config, model, frames);
  let optimizer: Optimizer | undefined;
  let data: TrainingData | undefined;
  const dispose = () => {
    data?.dispose();
    if (shared === undefined) features.dispose();
    optimizer?.dispose();
    model.dispose();
  };
  try {
    const freshFrozenParts = await prepareModel(model, config, tokenizer);
    data = await trainingData(config.data.train, config, tokenizer, model);
    const validation = await validationOf(config, tokenizer, model);
    const plan = new EpochPlan(data, config);
    const { epochs, maxSteps = Number.POSITIVE_INFINITY, labelSmoothing, gradientCheckpointing } = config.train;
    const totalSteps = Math.min(maxSteps, epochs * plan.stepsPerEpoch);
    optimizer = createOptimizer(model, config, ranks);
    const input = fingerprintInput({
      tokenizer,
      prompt: config.prompt,
      sampling: samplingOf(config),
      model: config.model,
    });
    const noneBad = { train: EMPTY_LEDGER, validation: EMPTY_LEDGER };
    const start: RunState = { step: 0, best: null, sinceBest: 0, badVideos: noneBad };
    const state = resume ? await folder.restore(model, optimizer, input) : start;
    const ledgers = await openLedgers(config.data, data, validation, state.badVideos);
    const loading = { config, plan, data, features, ranks, badVideos: ledgers.train, totalSteps };
    return {
      ...{
        config,
        model,
        tokenizer,
        folder,
        data,
        validation,
        plan,
        features,
        optimizer,
        ranks,
        freshFrozenParts,
        dispose,
      },
      totalSteps,
      loader: new StepLoader(loading),
      trainer: new Trainer(model, optimizer, { seed: config.seed, labelSmoothing, gradientCheckpointing }, ranks),
      ...{ input, extraFiles: tokenizerFiles(tokenizerDir) },
      ...{ state, badVideos: ledgers },
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

function missing(key: string, hint: string): ConfigError {
  return new ConfigError('E_CONFIG_MISSING', `${key} is not set.`, { hint });
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
  const encoders = config.train.parts.filter((part) => part.endsWith('encoder'));
  if (encoders.length > 0) {
    throw new ConfigError(
      'E_TRAIN_ENCODER',
      `train.parts names ${encoders.join(' and ')}; this loop keeps encoders frozen.`,
      {
        hint: 'Remove it; give encoder weights through `base`.',
      },
    );
  }
  const owned = new Set(model.parameters.countByPart().map(({ part }) => part));
  // A switched-off part (an ablation) is not an error of the configuration that names it.
  model.parameters.train(config.train.parts.filter((part) => owned.has(part)));
  const loads = baseLoads(config.model, config.base, config.temporalBase);
  for (const { path, ...options } of loads) await loadWeightsFrom(path, model, options);
  const mayStartFresh = loads.some(({ isOwn }) => isOwn === true) ? [] : neutralParts(config.prompt.layout);
  startAnew(model, config.train.reinitialize ?? []);
  const given = [...config.train.parts, ...mayStartFresh];
  const freshFrozen = [...emptyParts(model.parameters).keys()].filter((part) => !given.includes(part));
  model.parameters.initialize(new Rng(config.seed, 'weights'));
  if (loads.length > 0 && freshFrozen.length > 0) throw incompleteBase(config, freshFrozen);
  return freshFrozen;
}

/** Forgets what the base holds of these parts, so that they get seeded values. */
function startAnew(model: MimicChatModel, parts: readonly Part[]): void {
  for (const parameter of model.parameters.list()) if (parts.includes(parameter.part)) parameter.dispose();
}

function incompleteBase({ base, temporalBase }: RunConfig, parts: readonly Part[]): ConfigError {
  const folders = [base, temporalBase].filter((folder) => folder !== undefined).join(' and ');
  return new ConfigError(
    'E_BASE_INCOMPLETE',
    `${folders}: no weights of ${parts.join(', ')}, which would stay frozen at random values.`,
    {
      hint: parts.includes('temporal encoder')
        ? 'Name a TimeSformer folder as temporalBase, or switch the branch off: --ablate=no-temporal-encoder.'
        : 'Give the folder that holds the whole base; a checkpoint names its own in config.yaml under `base`.',
    },
  );
}

async function trainingData(
  path: string,
  config: RunConfig,
  tokenizer: Tokenizer,
  model: MimicChatModel,
): Promise<TrainingData> {
  return new TrainingData(await openCorpus(path, { root: config.data.root }), tokenizer, model, config);
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

/** AdamW over what the model trains; each of several ranks holds its share of the moments. */
export function createOptimizer(model: MimicChatModel, config: RunConfig, ranks = new Ranks()): Optimizer {
  const { beta1, beta2, eps, weightDecay, maxGradNorm, loraLearningRateScale } = config.train;
  const parameters = model.parameters.trainable();
  const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  const optimized = parameters.map((parameter) => ({
    name: parameter.name,
    // Read at each step: a resume replaces the values after the optimizer was made.
    get value() {
      return parameter.value;
    },
    lrScale: parameter.part === 'lora' ? loraLearningRateScale : 1,
  }));
  const options: AdamWOptions = {
    ...{ beta1, beta2, eps, weightDecay, maxGradNorm },
    setValue: (name, tensor) => {
      const parameter = byName.get(name);
      if (parameter !== undefined) parameter.value = tensor;
    },
  };
  return ranks.size === 1 ? new AdamW(optimized, options) : new ShardedAdamW(optimized, options, ranks);
}
