import type { z } from 'zod';
import type { LanguageSchema, SpatialSchema, TemporalSchema } from '../../config.js';

/** What a published folder says about itself, in our terms. */
export interface BaseConfig {
  readonly kind: 'internvl' | 'internvl-hf' | 'timesformer';
  /** The config.json. */
  readonly file: string;
  /** Sizes and formulas that the weights dictate. */
  readonly model: FixedModel;
  /** Normalisation and the like: what the weights were trained with, though another value would run. */
  readonly preprocessing: { readonly spatial?: Normalisation; readonly temporal?: Normalisation };
  /** The chat template that the model learnt; an empty system prompt means no system turn. */
  readonly prompt: { readonly template?: string; readonly systemPrompt?: string };
  /** How the processor it was published with makes a picture square; see SamplingSchema. */
  readonly video: { readonly fit?: string; readonly resize?: string };
  /** LoRA inside the model; its rank where config.json says it. */
  readonly loraRank: number;
  /** What a person should know: values that no file gave, things that are left out. */
  readonly notes: readonly string[];
}

/** InternVL's: the whole picture, by Pillow's bicubic filter. */
export const INTERNVL_VIDEO = { fit: 'squash', resize: 'bicubic' };

export type Normalisation = { readonly mean: [number, number, number]; readonly std: [number, number, number] };

export interface FixedModel {
  readonly spatial?: z.input<typeof SpatialSchema>;
  readonly temporal?: z.input<typeof TemporalSchema>;
  readonly language?: z.input<typeof LanguageSchema>;
}
