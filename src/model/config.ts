/**
 * Every size of MIMIC-Chat is configuration: the demo's tiny model and the 8B model are the same code.
 *
 * Defaults are the paper's model (InternViT-300M-448px, TimeSformer-HR, InternLM2-Chat-8B).
 */
import { z } from 'zod';
import { LANGUAGE_FAMILIES, LORA_TARGETS, linearsOf } from './language-family.js';

const positive = z.int().positive();
const triple = z.tuple([positive, positive, positive]);
const channels = z.tuple([z.number(), z.number(), z.number()]);

/** Fields that every transformer stack shares. */
const stack = {
  hiddenSize: positive,
  intermediateSize: positive,
  numLayers: positive,
  numHeads: positive,
};

export const SpatialSchema = z
  .strictObject({
    ...stack,
    hiddenSize: positive.default(1024),
    intermediateSize: positive.default(4096),
    numLayers: positive.default(24),
    numHeads: positive.default(16),
    imageSize: positive.default(448).describe('side of the square input, pixels'),
    patchSize: positive.default(14).describe('side of a patch, pixels'),
    numFrames: positive.default(8).describe('frames sampled uniformly from the video'),
    maxTiles: positive
      .default(12)
      .describe(
        'tiles of a picture at most, by its shape; 12 is what InternVL2.5 answers with. A frame of a video is one',
      ),
    thumbnail: z.boolean().default(true).describe('whether the whole picture follows its tiles, when it has several'),
    normEps: z.number().positive().default(1e-6),
    positionStd: z.number().positive().default(0.02).describe('standard deviation of fresh position embeddings'),
    mean: channels.default([0.485, 0.456, 0.406]),
    std: channels.default([0.229, 0.224, 0.225]),
  })
  .describe('spatial encoder: InternViT blocks over the sampled frames');

export const TemporalSchema = z
  .strictObject({
    ...stack,
    hiddenSize: positive.default(768),
    intermediateSize: positive.default(3072),
    numLayers: positive.default(12),
    numHeads: positive.default(12),
    imageSize: positive
      .default(448)
      .describe(
        'side of the square that the position embeddings were made for, pixels; to frames of spatial.imageSize they are ' +
          'resized (nearest), as TimeSformer does',
      ),
    patchSize: positive.default(16).describe('side of a patch, pixels'),
    numFrames: positive.default(16).describe('rows of the time embedding; other lengths are interpolated'),
    normEps: z.number().positive().default(1e-6),
    positionStd: z
      .number()
      .positive()
      .default(0.02)
      .describe('standard deviation of fresh position and time embeddings'),
    pool: triple.default([8, 4, 4]).describe('adaptive average pooling to (time, rows, columns) tokens'),
    chunkTokens: positive.default(16384).describe('tokens processed at once when the encoder is frozen; bounds memory'),
    mean: channels.default([0.45, 0.45, 0.45]),
    std: channels.default([0.225, 0.225, 0.225]),
  })
  .describe('temporal encoder: TimeSformer, divided space-time attention over the full sequence');

export const ProjectorSchema = z.strictObject({
  spatialHidden: positive.optional().describe('hidden width of the spatial projector; default: language.hiddenSize'),
  temporalHidden: positive.optional().describe('hidden width of the temporal projector; default: language.hiddenSize'),
});

export const FusionSchema = z.strictObject({
  type: z.enum(['gated', 'concat']).default('gated'),
  temporalGateBias: z.number().default(-2).describe('temporal gate starts at sigmoid(bias); the paper gives no value'),
});

export const LanguageSchema = z
  .strictObject({
    family: z
      .enum(LANGUAGE_FAMILIES)
      .default('internlm2')
      .describe(
        'names of the parameters and form of the attention: InternVL2.5-8B and -2B have internlm2, -1B has qwen2',
      ),
    ...stack,
    hiddenSize: positive.default(4096),
    intermediateSize: positive.default(14336),
    numLayers: positive.default(32),
    numHeads: positive.default(32),
    numKvHeads: positive.default(8),
    vocabSize: positive.default(92553),
    ropeTheta: z.number().positive().default(1e6),
    maxPositions: positive
      .default(32768)
      .describe('most tokens of a sequence; RoPE is not scaled for longer ones, which are refused'),
    normEps: z.number().positive().default(1e-5),
    tieWordEmbeddings: z.boolean().default(false),
    embeddingStd: z.number().positive().default(0.02).describe('standard deviation of fresh token embeddings'),
  })
  .describe('language model: decoder of InternLM2 or Qwen2');

export const LoraSchema = z.strictObject({
  rank: z.int().nonnegative().default(16).describe('0 switches LoRA off'),
  alpha: z.number().positive().default(32),
  dropout: z.number().min(0).max(0.9).default(0.05),
  targets: z
    .array(z.enum(LORA_TARGETS))
    .optional()
    .describe(
      "linears of each decoder block that get an adapter, by the family's names; default: those of the attention",
    ),
});

export const ABLATIONS = ['no-lora', 'no-temporal-encoder', 'no-temporal-projector', 'no-spatial-projector'] as const;
export type Ablation = (typeof ABLATIONS)[number];

export const ModelSchema = z
  .strictObject({
    spatial: SpatialSchema.prefault({}),
    temporal: TemporalSchema.prefault({}),
    projector: ProjectorSchema.prefault({}),
    fusion: FusionSchema.prefault({}),
    language: LanguageSchema.prefault({}),
    lora: LoraSchema.prefault({}),
    ablate: z
      .enum(['none', ...ABLATIONS])
      .default('none')
      .describe('one row of the ablation table (appendix A)'),
  })
  .superRefine((model, ctx) => {
    const divisible = (path: string[], value: number, by: number, what: string) => {
      if (value % by !== 0)
        ctx.addIssue({ code: 'custom', path, message: `${value} is not divisible by ${what} (${by})` });
    };
    const { spatial, temporal, language, lora } = model;
    divisible(['spatial', 'hiddenSize'], spatial.hiddenSize, spatial.numHeads, 'spatial.numHeads');
    divisible(['spatial', 'imageSize'], spatial.imageSize, 2 * spatial.patchSize, 'twice spatial.patchSize');
    divisible(['temporal', 'hiddenSize'], temporal.hiddenSize, temporal.numHeads, 'temporal.numHeads');
    divisible(['temporal', 'imageSize'], temporal.imageSize, temporal.patchSize, 'temporal.patchSize');
    divisible(['language', 'hiddenSize'], language.hiddenSize, 2 * language.numHeads, 'twice language.numHeads');
    divisible(['language', 'numHeads'], language.numHeads, language.numKvHeads, 'language.numKvHeads');
    const linears = linearsOf(language.family);
    for (const [i, target] of (lora.targets ?? []).entries()) {
      if (linears.includes(target)) continue;
      const message = `${target} is no linear of language.family ${language.family}, which has ${linears.join(', ')}`;
      ctx.addIssue({ code: 'custom', path: ['lora', 'targets', i], message });
    }
    // One decode pass feeds both branches: the temporal one, too, sees frames of spatial.imageSize.
    if (model.ablate !== 'no-temporal-encoder' && spatial.imageSize % temporal.patchSize !== 0) {
      const message = `spatial.imageSize (${spatial.imageSize}), the size of the frames, is not divisible by ${temporal.patchSize}`;
      ctx.addIssue({ code: 'custom', path: ['temporal', 'patchSize'], message });
    }
  });

export type ModelConfig = z.output<typeof ModelSchema>;
export type SpatialConfig = z.output<typeof SpatialSchema>;
export type TemporalConfig = z.output<typeof TemporalSchema>;
export type LanguageConfig = z.output<typeof LanguageSchema>;
export type LoraConfig = z.output<typeof LoraSchema>;
export type FusionConfig = z.output<typeof FusionSchema>;

/** Tokens a frame contributes after the 2x2 pixel shuffle. */
export function tokensPerFrame(config: SpatialConfig): number {
  return (config.imageSize / config.patchSize / 2) ** 2;
}

/** Visual tokens of one video: spatial frames plus pooled temporal tokens. */
export function numVisualTokens(config: ModelConfig): { spatial: number; temporal: number } {
  const [time, rows, columns] = config.temporal.pool;
  return {
    spatial: config.spatial.numFrames * tokensPerFrame(config.spatial),
    temporal: config.ablate === 'no-temporal-encoder' ? 0 : time * rows * columns,
  };
}
