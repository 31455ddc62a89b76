import { Rng } from '../../base/rng.js';
import { hasVideo, type VideoRecord } from '../record.js';
import { buildCommentRequest } from './comment.js';
import { CorpusIndex } from './corpus-index.js';
import { buildQuestions, type PlaceAnswer } from './index.js';
import {
  type ChoiceQuestion,
  type ChoiceTaskName,
  type CommentRequest,
  OPTION_LETTERS,
  type Skipped,
} from './types.js';

export interface Benchmark {
  readonly questions: readonly ChoiceQuestion[];
  readonly comments: readonly CommentRequest[];
  readonly skipped: readonly Skipped[];
}

/** Deals the places of right options in shuffled rounds of four, a task by itself: counts differ by at most one. */
export function dealPlaces(rng: Rng): PlaceAnswer {
  const decks = new Map<ChoiceTaskName, number[]>();
  return (task) => {
    const deck = decks.get(task) ?? [];
    if (deck.length === 0) deck.push(...rng.shuffle(OPTION_LETTERS.map((_, place) => place)));
    decks.set(task, deck);
    return deck.pop() ?? 0;
  };
}

/**
 * All questions of a split, the same for the same records and seed. Each record has a random stream of its own. Records
 * without a video have conversations of their own, and no question.
 */
export function buildBenchmark(
  records: readonly VideoRecord[],
  seed: number,
  options: { readonly tasks?: readonly ChoiceTaskName[] } = {},
): Benchmark {
  const index = new CorpusIndex(records);
  const placeAnswer = dealPlaces(new Rng(seed, 'benchmark-places'));
  const questions: ChoiceQuestion[] = [];
  const comments: CommentRequest[] = [];
  const skipped: Skipped[] = [];
  for (const record of records.filter(hasVideo)) {
    const rng = new Rng(seed, 'benchmark').fork(record.id);
    const built = buildQuestions(record, index, rng, { ...options, placeAnswer });
    questions.push(...built.questions);
    skipped.push(...built.skipped);
    const comment = buildCommentRequest(record);
    if ('reason' in comment) skipped.push(comment);
    else comments.push(comment);
  }
  return { questions, comments, skipped };
}

/** How often each task was skipped for each reason: "comment-matching: no-comments" -> 12. */
export function countSkipped(skipped: readonly Skipped[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { task, reason } of skipped) {
    const key = `${task}: ${reason}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}
