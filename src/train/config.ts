/** The run configuration: one schema a component, composed here; YAML files in `configs/` and `--section.key=value` fill it. */
import { z } from 'zod';
import { PromptSchema } from '../data/prompt.js';
import { CHOICE_TASKS } from '../data/tasks/types.js';
import { type SamplingConfig, SamplingSchema } from '../data/video/sampling.js';
import { ModelSchema, numVisualTokens } from '../model/config.js';
import { PARTS } from '../model/parameters.js';
import { BadVideoSettings } from './bad-videos/settings.js';
import { FeatureCacheSchema } from './features/config.js';
import { ScheduleSchema } from './schedule.js';

const count = z.int().positive();

const DataSchema = z.strictObject({
  train: z.string().optional().describe('JSONL records to train on'),
  validation: z.string().optional().describe('JSONL records that choose the best checkpoint'),
  root: z.string().optional().describe("folder that video_path is relative to; default: the JSONL file's"),
  turnsPerVideo: count.default(4).describe('questions asked about a video in one sequence, as consecutive turns'),
  taskWeights: z
    .partialRecord(z.enum([...CHOICE_TASKS, 'comment']), z.number().nonnegative())
    .default({})
    .describe('how often a task is drawn, relative to 1; multi-task sampling'),
  ...BadVideoSettings.shape,
  validationQuestions: count.default(600).describe('questions of a validation pass, at most'),
  decodeWorkers: count.default(2).describe('threads that decode, each with an ffmpeg process of its own'),
  prefetchSteps: z
    .int()
    .nonnegative()
    .default(2)
    .describe('optimizer steps whose videos are decoded ahead, within `prefetchMiB`'),
  prefetchMiB: count.default(2048).describe('memory for decoded frames that wait for their turn, in MiB'),
});

const TrainSchema = z.strictObject({
  parts: z
    .array(z.enum(PARTS))
    .default(['spatial projector', 'temporal projector', 'gated fusion', 'positions', 'special tokens', 'lora'])
    .describe('what is trained; the rest is frozen'),
  reinitialize: z
    .array(z.enum(PARTS))
    .optional()
    .describe('trained parts that start from seeded values although the base holds them; a control for ablations'),
  epochs: count.default(50),
  maxSteps: count.optional().describe('optimizer steps; ends the run before `epochs` do'),
  batchSize: count.default(2).describe('videos in a micro-batch'),
  accumulate: count.default(2).describe('micro-batches in an optimizer step, of all processes together'),
  groupByLength: z.boolean().default(true).describe('batch samples of similar token length'),
  packing: z
    .boolean()
    .default(false)
    .describe(
      "lay an optimizer step's batchSize x accumulate samples end to end into rows of at most maxLength tokens, each a " +
        'micro-batch: nothing is padding, and the loss is the same; several ranks need as many rows as ranks',
    ),
  maxLength: count.default(4096).describe('tokens in a sequence, visual ones included'),
  ...ScheduleSchema.shape,
  loraLearningRateScale: z.number().positive().default(1).describe('factor on the learning rate of LoRA matrices'),
  beta1: z.number().min(0).max(1).default(0.9),
  beta2: z.number().min(0).max(1).default(0.999),
  eps: z.number().positive().default(1e-8),
  weightDecay: z.number().nonnegative().default(0.01),
  maxGradNorm: z.number().positive().default(1),
  gradientCheckpointing: z
    .boolean()
    .default(true)
    .describe('keep the activations of one decoder block instead of all; costs a second forward pass'),
  labelSmoothing: z.number().min(0).max(0.5).default(0),
  lossReduction: z.enum(['token', 'answer', 'square']).default('token'),
  evalEverySteps: count.default(200),
  probes: z
    .int()
    .nonnegative()
    .default(4)
    .describe(
      'validation questions whose answers, and a comment on their videos, are kept after each validation: samples/ and report.html',
    ),
  saveEverySteps: count.default(200),
  keepCheckpoints: z.int().min(2).default(2).describe('at least 2: the newest may be the one a crash interrupts'),
  earlyStopping: z
    .strictObject({
      patience: count.optional().describe('validations without improvement before the run ends'),
      target: z.number().min(0).max(1).optional().describe('validation accuracy that ends the run'),
    })
    .prefault({}),
  featureCacheMiB: z
    .int()
    .nonnegative()
    .default(512)
    .describe(
      'memory for frozen-encoder features of videos seen before, in MiB; what it cannot hold comes from `featureCache`',
    ),
  featureCache: FeatureCacheSchema,
});

export const RunConfigSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[\w.-]+$/)
      .default('run')
      .describe('folder of the run under `out`'),
    out: z.string().default('checkpoints'),
    seed: z.int().nonnegative().default(0),
    base: z
      .string()
      .optional()
      .describe(
        'folder with the weights and tokenizer to start from: a published InternVL folder as it is, or one of ours; ' +
          'the sizes that a published config.json gives need not be repeated',
      ),
    temporalBase: z
      .string()
      .optional()
      .describe("folder or file with TimeSformer's weights, where base has none: Hugging Face's, or Facebook's .pyth"),
    tokenizer: z.string().optional().describe('folder with a tokenizer; default: base'),
    model: ModelSchema.prefault({}),
    video: SamplingSchema.omit({ size: true, numFrames: true }).prefault({}),
    prompt: PromptSchema.prefault({}),
    data: DataSchema.prefault({}),
    train: TrainSchema.prefault({}),
  })
  .superRefine((config, ctx) => {
    const { spatial, temporal } = numVisualTokens(config.model);
    if (spatial + temporal + 16 > config.train.maxLength) {
      ctx.addIssue({
        code: 'custom',
        path: ['train', 'maxLength'],
        message:
          `${spatial} spatial + ${temporal} temporal visual tokens + 16 for text exceed ${config.train.maxLength}; ` +
          'raise it, or lower model.spatial.numFrames or model.temporal.pool',
      });
    }
  });

export type RunConfig = z.output<typeof RunConfigSchema>;

/** Frame sampling follows the model: one decode feeds both branches at the encoders' size. */
export function samplingOf(config: Pick<RunConfig, 'model' | 'video'>): SamplingConfig {
  const { imageSize, numFrames } = config.model.spatial;
  // Without the temporal branch nothing looks at the full sequence: one frame of it stands for all.
  const temporal = config.model.ablate === 'no-temporal-encoder' ? { maxFrames: 1 } : config.video.temporal;
  return { ...config.video, temporal, size: imageSize, numFrames };
}
