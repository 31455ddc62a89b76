/**
 * Stand-ins for the published language model and its visual alignment.
 *
 * Three stages, since the letter circuit (read the lettered options, answer with a letter) is a plateau that mixed
 * phrasings from the start never leave (docs/LOG.md): bare attribute choice on notes, then every phrasing on notes,
 * then the same questions over the spatial tokens of real clips.
 */
import type { Rng } from '../../base/rng.js';
import { type PromptConfig, type Turn, tokenizeSample } from '../../data/prompt.js';
import { drawFacts, FACT_KINDS, type FactKind, type Facts } from '../../data/synth/facts.js';
import { makeRecord } from '../../data/synth/record.js';
import { COMMENT_WORDING } from '../../data/tasks/comment.js';
import type { CorpusIndex } from '../../data/tasks/corpus-index.js';
import { drawQuestion } from '../../data/tasks/index.js';
import { answerText, promptText } from '../../data/tasks/wording.js';
import type { Tokenizer } from '../../data/tokenizer.js';
import type { MimicChatModel } from '../../model/mimic-chat.js';
import type { Part } from '../../model/parameters.js';
import type { VideoFeatures } from '../../model/video-features.js';
import { type Batch, collate, type TrainingSample, totalWeight } from '../../train/batch.js';
import { choiceAccuracy } from '../../train/choice-accuracy.js';
import { languageLoss } from '../../train/language-loss.js';
import { attributeChoice, attributeOpen, writeNote } from './notes.js';
import { runStage, type StageOptions, type StageResult } from './stage.js';

const SPATIAL_FACTS: readonly FactKind[] = ['shape', 'color', 'bg', 'layout'];

export type TurnMaker = (facts: Facts, rng: Rng) => Turn;

export interface AlignedClip {
  readonly facts: Facts;
  readonly features: VideoFeatures;
}

export interface LanguageStageOptions
  extends Pick<
    StageOptions,
    'name' | 'learningRate' | 'warmupSteps' | 'cycleSteps' | 'maxCycles' | 'evaluateEvery' | 'gate' | 'onProgress'
  > {
  readonly parts: readonly Part[];
  readonly batchSize: number;
  readonly rng: Rng;
  /** Samples of one batch; also called for the held-out batches, with a stream of its own. */
  readonly draw: (count: number, rng: Rng, split: 'train' | 'validation') => TrainingSample[];
  readonly letterIds: readonly number[];
  readonly validationSamples: number;
}

export async function trainLanguage(model: MimicChatModel, options: LanguageStageOptions): Promise<StageResult> {
  const { batchSize, rng, draw, letterIds, parts, validationSamples } = options;
  const held = chunk(draw(validationSamples, rng.fork('validation'), 'validation'), batchSize);
  return runStage({
    ...options,
    beta2: 0.98,
    parameters: model.parameters.list().filter((parameter) => parts.includes(parameter.part)),
    loss: (step) => {
      const batch = collate(draw(batchSize, rng.fork(`step/${step}`), 'train'), 'token');
      return languageLoss(model, batch, { labelSmoothing: 0, normalizer: totalWeight([batch]) });
    },
    evaluate: () => pooledAccuracy(model, held, letterIds),
  });
}

/** Text-only samples: a note of random facts and four questions about it. */
export function noteSamples(context: SampleContext, makeTurn: TurnMaker): LanguageStageOptions['draw'] {
  return (count, rng) =>
    Array.from({ length: count }, (_, i) => {
      const random = rng.fork(i);
      const facts = drawFacts(random);
      const turns = fourTurns(facts, random, makeTurn);
      const [first, ...rest] = turns;
      if (first === undefined) throw new Error('fourTurns returned no turn');
      const noted = [{ ...first, prompt: `${writeNote(facts, random)} ${first.prompt}` }, ...rest];
      return {
        id: `note-${i}`,
        tokens: tokenizeSample(context.tokenizer, context.prompt, noted, null),
        features: null,
      };
    });
}

/** Spatial tokens of a clip and four questions about its still facts. */
export function clipSamples(
  context: SampleContext & { model: MimicChatModel },
  clips: Record<'train' | 'validation', readonly AlignedClip[]>,
): LanguageStageOptions['draw'] {
  const { model, tokenizer, prompt } = context;
  const visual = model.visualBlock();
  return (count, rng, split) =>
    Array.from({ length: count }, (_, i) => {
      const random = rng.fork(i);
      const clip = random.pick(clips[split]);
      const turns = fourTurns(clip.facts, random, (facts, r) => attributeTurn(facts, r.pick(SPATIAL_FACTS), r));
      return { id: `clip-${i}`, tokens: tokenizeSample(tokenizer, prompt, turns, visual), features: clip.features };
    });
}

export interface SampleContext {
  readonly tokenizer: Tokenizer;
  readonly prompt: PromptConfig;
}

/** Attribute choice most of the time, the open form otherwise. */
function attributeTurn(facts: Facts, fact: FactKind, rng: Rng): Turn {
  return rng.uniform() < 0.75 ? attributeChoice(facts, fact, rng) : attributeOpen(facts, fact);
}

export const bareChoice: TurnMaker = (facts, rng) => attributeChoice(facts, rng.pick(FACT_KINDS), rng);

/** All phrasings that a visual question will use, except the style task, which only tuning teaches. */
export function mixedPhrasing(index: CorpusIndex, prompt: PromptConfig): TurnMaker {
  const tasks = ['title', 'description', 'tag', 'comment-matching', 'topic', 'category'] as const;
  return (facts, rng) => {
    const kind = rng.uniform();
    if (kind < 0.2) return attributeTurn(facts, rng.pick(FACT_KINDS), rng);
    const record = makeRecord(facts, rng, 'note');
    // Any of a clip's comments: how one is worded, not which one is liked.
    if (kind < 0.28) return { prompt: `${COMMENT_WORDING.terse} ? answer`, answer: rng.pick(record.comments).text };
    const question = drawQuestion(rng.pick(tasks), record, index, rng);
    if ('reason' in question) return attributeTurn(facts, rng.pick(FACT_KINDS), rng);
    return { prompt: promptText(question, prompt.wording), answer: answerText(question) };
  };
}

function fourTurns(facts: Facts, rng: Rng, makeTurn: TurnMaker): Turn[] {
  return Array.from({ length: 4 }, () => makeTurn(facts, rng));
}

function chunk(samples: TrainingSample[], size: number): Batch[] {
  const batches: Batch[] = [];
  for (let start = 0; start < samples.length; start += size) {
    batches.push(collate(samples.slice(start, start + size), 'token'));
  }
  return batches;
}

function pooledAccuracy(model: MimicChatModel, batches: readonly Batch[], letterIds: readonly number[]): number {
  let right = 0;
  let asked = 0;
  for (const batch of batches) {
    const result = choiceAccuracy(model, batch, letterIds);
    right += result.right;
    asked += result.asked;
  }
  return right / asked;
}
