/**
 * The training runs that are compared with PyTorch from the video file on: a configuration, a corpus of clips, and the
 * folder both sides read.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../src/base/config.js';
import { packageRoot } from '../../src/base/package-root.js';
import { synthesizeCorpus } from '../../src/data/synth/corpus.js';
import { syntheticVocabulary } from '../../src/data/synth/vocabulary.js';
import { createTokenizer } from '../../src/data/tokenizer.js';
import { buildWordTokenizerJson } from '../../src/data/word-tokenizer.js';
import { type ModelConfig, ModelSchema } from '../../src/model/config.js';
import { type RunConfig, RunConfigSchema } from '../../src/train/config.js';
import { languageOf } from '../step-case.js';

export interface TrainingCase {
  readonly name: string;
  /** Clips of an epoch, and in a step. */
  readonly clips: number;
  readonly batchSize: number;
  readonly epochs: number;
  /** Runs of each side. */
  readonly repeats: number;
  /** In place of the demo's model. */
  readonly model?: ModelConfig;
}

const LORA = { rank: 16, alpha: 32, dropout: 0 };

/** Encoders of 6 blocks each on pictures of 112 pixels, and the decoder of the step case 512x8. */
const MIDDLE_MODEL = ModelSchema.parse({
  spatial: { hiddenSize: 256, intermediateSize: 1024, numLayers: 6, numHeads: 4, imageSize: 112 },
  temporal: {
    ...{ hiddenSize: 192, intermediateSize: 768, numLayers: 6, numHeads: 3, imageSize: 112, numFrames: 33 },
    pool: [4, 2, 2],
  },
  language: languageOf(512, 8),
  lora: LORA,
});

export const TRAINING_CASES: readonly TrainingCase[] = [
  { name: 'demo', clips: 96, batchSize: 24, epochs: 2, repeats: 5 },
  { name: 'middle', clips: 16, batchSize: 4, epochs: 1, repeats: 3, model: MIDDLE_MODEL },
];

export function trainingCase(name: string): TrainingCase {
  const found = TRAINING_CASES.find((one) => one.name === name);
  if (found === undefined) {
    throw new RangeError(`training case ${name}: expected ${TRAINING_CASES.map((one) => one.name).join(', ')}`);
  }
  return found;
}

export const corpusDir = (dir: string): string => join(dir, 'corpus');
const tokenizerDir = (dir: string): string => join(dir, 'tokenizer');

/** Renders the clips and writes the tokenizer. */
export async function writeCorpus({ clips }: TrainingCase, dir: string): Promise<void> {
  await synthesizeCorpus({ dir: corpusDir(dir), seed: 0, counts: { train: clips, validation: 0, test: 0 } });
  await mkdir(tokenizerDir(dir), { recursive: true });
  const tokenizer = await createTokenizer(buildWordTokenizerJson(syntheticVocabulary()));
  await tokenizer.save(tokenizerDir(dir));
}

/**
 * As `mimic train -c configs/demo.yaml` would run it. Dropout is off, since generators differ. Weights are random, which
 * costs the same; no feature is kept in memory, for those of a real corpus would not fit.
 */
export async function trainingConfig(which: TrainingCase, dir: string, threads: number): Promise<RunConfig> {
  const { config } = await loadConfig(RunConfigSchema, {
    file: join(packageRoot(), 'configs', 'demo.yaml'),
    overrides: [
      ...['--train.featureCacheMiB=0', '--train.featureCache.maxGiB=0', `--data.decodeWorkers=${threads}`],
      ...[`--train.batchSize=${which.batchSize}`, `--train.epochs=${which.epochs}`, '--model.lora.dropout=0'],
    ],
  });
  const model = which.model ?? config.model;
  const { vocabSize } = await createTokenizer(buildWordTokenizerJson(syntheticVocabulary()));
  return {
    ...config,
    out: join(dir, `runs-${process.pid}`),
    base: undefined,
    tokenizer: tokenizerDir(dir),
    model: { ...model, language: { ...model.language, vocabSize } },
    data: { ...config.data, train: join(corpusDir(dir), 'train.jsonl'), validation: undefined },
  };
}
