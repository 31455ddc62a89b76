import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { hashLabel, Rng } from '../../src/base/rng.js';
import { writeJsonl } from '../../src/data/jsonl.js';
import { drawFacts, FACT_KINDS } from '../../src/data/synth/facts.js';
import { makeRecord } from '../../src/data/synth/record.js';
import { syntheticVocabulary } from '../../src/data/synth/vocabulary.js';
import { createTokenizer } from '../../src/data/tokenizer.js';
import { videoKey } from '../../src/data/video/open-video.js';
import { buildWordTokenizerJson } from '../../src/data/word-tokenizer.js';
import { type RunConfig, RunConfigSchema } from '../../src/train/config.js';
import type { FrameSource } from '../../src/train/features/feature-source.js';
import { randomVideo, tinyConfig } from './tiny-model.js';

/** A run over synthetic metadata and random pixels, small enough for a test; files go to `dir`. */
export async function tinyRun(
  dir: string,
  records: { train: number; validation: number },
  overrides: { name?: string; model?: object; train?: Partial<z.input<typeof RunConfigSchema>['train']> } = {},
): Promise<{ config: RunConfig; frames: FrameSource }> {
  const tokenizerDir = join(dir, 'tokenizer');
  const tokenizer = await createTokenizer(buildWordTokenizerJson([...syntheticVocabulary(), ...FACT_KINDS]));
  await mkdir(tokenizerDir, { recursive: true });
  await tokenizer.save(tokenizerDir);
  const model = tinyConfig();
  const draw = (split: string, count: number) =>
    Array.from({ length: count }, (_, i) => {
      const rng = new Rng(5, split).fork(i);
      return makeRecord(drawFacts(rng), rng, `${split}-${i}`);
    });
  await writeJsonl(join(dir, 'train.jsonl'), draw('train', records.train));
  await writeJsonl(join(dir, 'validation.jsonl'), draw('validation', records.validation));
  const config = RunConfigSchema.parse({
    name: overrides.name ?? 'run',
    out: join(dir, 'checkpoints'),
    seed: 3,
    tokenizer: tokenizerDir,
    model: {
      ...model,
      ...overrides.model,
      language: { ...model.language, vocabSize: tokenizer.vocabSize },
      lora: { rank: 2, alpha: 4, dropout: 0.2 },
    },
    prompt: { template: 'plain', layout: 'paper', wording: 'terse' },
    data: {
      train: join(dir, 'train.jsonl'),
      validation: join(dir, 'validation.jsonl'),
      turnsPerVideo: 2,
      validationQuestions: 8,
    },
    train: {
      ...{ epochs: 4, batchSize: 2, accumulate: 2, learningRate: 0.02, labelSmoothing: 0.05 },
      ...{ evalEverySteps: 3, saveEverySteps: 100 },
      ...overrides.train,
    },
  });
  return { config, frames: async (input) => randomVideo(config.model, hashLabel(videoKey(input)), 4) };
}
