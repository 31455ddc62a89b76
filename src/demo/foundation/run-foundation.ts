/**
 * The foundation stages: what published checkpoints bring to MIMIC tuning, made from scratch at the demo's size.
 *
 *     spatial encoder   labels of still facts             stands in for InternViT
 *     temporal encoder  labels of moving facts            stands in for TimeSformer on Kinetics
 *     bare choice       notes, one fact a question        language pre-training: the letter circuit ...
 *     task phrasing     notes, every phrasing             ... and the tasks' words
 *     alignment         spatial tokens of clips           stands in for InternVL: a video model without motion
 *
 * The result is a base folder: model.safetensors with published names, tokenizer.json, config.yaml.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Rng } from '../../base/rng.js';
import { letterIds, type PromptConfig } from '../../data/prompt.js';
import { FACT_KINDS } from '../../data/synth/facts.js';
import { syntheticVocabulary } from '../../data/synth/vocabulary.js';
import { CorpusIndex } from '../../data/tasks/corpus-index.js';
import { createTokenizer, type Tokenizer } from '../../data/tokenizer.js';
import { buildWordTokenizerJson } from '../../data/word-tokenizer.js';
import type { ModelConfig } from '../../model/config.js';
import { MimicChatModel } from '../../model/mimic-chat.js';
import type { Parameter, Part } from '../../model/parameters.js';
import { VideoFeatures } from '../../model/video-features.js';
import { writeSafetensors } from '../../model/weights/safetensors-writer.js';
import type { DemoClip } from '../clips.js';
import { trainEncoder } from './encoder-stage.js';
import {
  type AlignedClip,
  bareChoice,
  clipSamples,
  type LanguageStageOptions,
  mixedPhrasing,
  noteSamples,
  trainLanguage,
} from './language-stage.js';
import { NOTE_WORDS } from './notes.js';
import type { StageProgress, StageResult } from './stage.js';

export interface FoundationOptions {
  readonly dir: string;
  readonly model: ModelConfig;
  readonly prompt: PromptConfig;
  readonly seed: number;
  readonly train: readonly DemoClip[];
  readonly validation: readonly DemoClip[];
  /** Scales the steps of every stage; 1 is the measured recipe. */
  readonly effort: number;
  readonly onProgress: (progress: StageProgress) => void;
}

export async function runFoundation(options: FoundationOptions): Promise<StageResult[]> {
  const { dir, model: config, prompt, seed, train, validation, effort, onProgress } = options;
  const rng = new Rng(seed, 'foundation');
  const cycle = (steps: number, maxCycles: number) => ({
    cycleSteps: Math.ceil(steps * effort),
    maxCycles: effort < 1 ? 1 : maxCycles,
    warmupSteps: 20,
    onProgress,
  });
  const tokenizer = await createTokenizer(
    buildWordTokenizerJson([...syntheticVocabulary(), ...FACT_KINDS, ...NOTE_WORDS]),
  );
  const encoders = new MimicChatModel(config);
  // A video model as published ones are: still frames only, no gate, no adapter.
  const base = new MimicChatModel({
    ...config,
    ablate: 'no-temporal-encoder',
    fusion: { ...config.fusion, type: 'concat' },
    lora: { ...config.lora, rank: 0 },
  });
  const features: VideoFeatures[] = [];
  try {
    encoders.parameters.initialize(rng.fork('encoders'));
    base.parameters.initialize(rng.fork('base'));
    const results: StageResult[] = [];
    results.push(
      await trainEncoder(encoders, {
        ...{ branch: 'spatial', facts: ['shape', 'color', 'bg', 'layout'], batchSize: 32, train, validation },
        ...{ learningRate: 1e-3, evaluateEvery: 50, gate: 0.99, rng: rng.fork('spatial'), ...cycle(250, 3) },
      }),
      await trainEncoder(encoders, {
        ...{ branch: 'temporal', facts: ['motion', 'lamp'], batchSize: 16, train, validation },
        ...{ learningRate: 2e-3, evaluateEvery: 40, gate: 0.985, rng: rng.fork('temporal'), ...cycle(280, 3) },
      }),
    );

    const context = { tokenizer, prompt };
    const index = new CorpusIndex(train.map(({ record }) => record));
    const language = (name: string, steps: number, parts: readonly Part[], draw: LanguageStageOptions['draw']) => ({
      ...{ name, parts, draw, batchSize: 32, validationSamples: 160, letterIds: letterIds(tokenizer) },
      ...{ learningRate: 2e-3, evaluateEvery: 50, gate: 0.985, rng: rng.fork(name), ...cycle(steps, 4) },
    });
    const textParts: Part[] = ['language model', 'special tokens'];
    const phrasing = noteSamples(context, mixedPhrasing(index, prompt));
    results.push(
      await trainLanguage(base, language('bare choice', 800, textParts, noteSamples(context, bareChoice))),
      await trainLanguage(base, language('task phrasing', 1200, textParts, phrasing)),
    );

    const align = (clips: readonly DemoClip[]): AlignedClip[] =>
      clips.map(({ facts, video }) => {
        const seen = new VideoFeatures(encoders.spatialEncoder.encode(video.spatial), null);
        features.push(seen);
        return { facts, features: seen };
      });
    const seeing = clipSamples({ ...context, model: base }, { train: align(train), validation: align(validation) });
    const visualParts: Part[] = [...textParts, 'spatial projector'];
    results.push(
      await trainLanguage(base, {
        ...language('alignment', 400, visualParts, (count, random, split) => {
          // A quarter of notes keeps the phrasings that clips are not asked in yet.
          const clips = split === 'validation' ? count : Math.ceil(0.75 * count);
          return [
            ...seeing(clips, random.fork('clips'), split),
            ...phrasing(count - clips, random.fork('notes'), split),
          ];
        }),
        learningRate: 1e-3,
      }),
    );
    await writeBase(dir, tokenizer, config, prompt, [
      ...partsOf(encoders, ['spatial encoder', 'temporal encoder']),
      ...partsOf(base, ['language model', 'spatial projector', 'special tokens']),
    ]);
    return results;
  } finally {
    for (const feature of features) feature.dispose();
    encoders.dispose();
    base.dispose();
  }
}

function partsOf(model: MimicChatModel, parts: readonly Part[]): Parameter[] {
  return model.parameters.list().filter(({ part }) => parts.includes(part));
}

async function writeBase(
  dir: string,
  tokenizer: Tokenizer,
  model: ModelConfig,
  prompt: PromptConfig,
  parameters: readonly Parameter[],
): Promise<void> {
  await mkdir(dir, { recursive: true });
  await tokenizer.save(dir);
  await writeFile(join(dir, 'config.yaml'), stringify({ model, prompt }));
  await writeSafetensors(
    join(dir, 'model.safetensors'),
    parameters.map(({ name, shape, value }) => {
      return { name, dtype: 'F32', shape, data: Float32Array.from(value.dataSync()) };
    }),
  );
}
