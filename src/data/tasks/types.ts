import type { Rng } from '../../base/rng.js';
import type { VideoRecord } from '../record.js';
import type { CorpusIndex } from './corpus-index.js';

export const CHOICE_TASKS = [
  'title',
  'description',
  'tag',
  'topic',
  'category',
  'comment-matching',
  'comment-popularity',
] as const;
export type ChoiceTaskName = (typeof CHOICE_TASKS)[number];

export const OPTION_LETTERS = ['A', 'B', 'C', 'D'] as const;

/** What a viewer must have seen to answer: known for synthetic videos only. */
export type QuestionAxis = 'spatial' | 'temporal' | 'style';
/** Creator intent, content attributes, user interaction: the paper's three groups of tasks. */
export type Ability = 'CIU' | 'CAM' | 'UIU';

/** Where the pixels are: a video file, or image files with their times. */
export interface VideoSource {
  readonly videoId: string;
  /** Relative to the data root; empty when `frames` is given. */
  readonly videoPath: string;
  readonly frames?: readonly string[];
  readonly frameTimesSec?: readonly number[];
}

/** Four options, one right. */
export interface ChoiceQuestion extends VideoSource {
  readonly id: string;
  readonly task: ChoiceTaskName;
  readonly options: readonly string[];
  /** Index of the right option, 0 to 3. */
  readonly answer: number;
  readonly axis?: QuestionAxis;
  /** Kind of fact asked, for example 'motion'. */
  readonly fact?: string;
  readonly meta?: Readonly<Record<string, unknown>>;
}

/** Free text: one comment in the manner of the video's best-liked ones. */
export interface CommentRequest extends VideoSource {
  readonly id: string;
  readonly task: 'comment';
  /** The best-liked comments, at most five, best first. */
  readonly references: readonly string[];
}

/** Why a record gave no question of a task; a fixed set of words, to be counted. */
export type SkipReason =
  | 'no-title'
  | 'no-description'
  | 'no-tags'
  | 'no-topic'
  | 'no-category'
  | 'no-comments'
  | 'answer-names-index'
  | 'too-few-distractors';

export interface Skipped {
  readonly task: ChoiceTaskName | 'comment';
  readonly videoId: string;
  readonly reason: SkipReason;
}

/** Texts for the wrong options, in no particular order. */
export interface Distractors {
  readonly texts: readonly string[];
  readonly meta?: Readonly<Record<string, unknown>>;
}

/** One kind of question: which texts of a video are right, and where its wrong options come from. */
export interface ChoiceTask {
  readonly name: ChoiceTaskName;
  readonly ability: Ability;
  /** The question in full English, and the word that stands for it in the terse wording. */
  readonly wording: { readonly natural: string; readonly terse: string };
  /** Right answers of this record, one question each, or why there is none. */
  rightTexts(record: VideoRecord, index: CorpusIndex): readonly string[] | SkipReason;
  /** At most three distractors that pass the quality control against `right` and each other. */
  distractors(record: VideoRecord, right: string, index: CorpusIndex, rng: Rng): Distractors;
}
