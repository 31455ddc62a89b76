/** Questions of MIMIC-Bench, built from the metadata of videos; training and evaluation build them alike. */
import type { Rng } from '../../base/rng.js';
import type { VideoRecord } from '../record.js';
import { labelAxis } from './axis.js';
import { categoryTask } from './category.js';
import { commentMatchingTask } from './comment-matching.js';
import { commentPopularityTask } from './comment-popularity.js';
import type { CorpusIndex } from './corpus-index.js';
import { descriptionTask } from './description.js';
import { DISTRACTORS } from './options.js';
import { tagTask } from './tag.js';
import { makeTerm, namesIndex } from './text.js';
import { titleTask } from './title.js';
import { topicTask } from './topic.js';
import {
  CHOICE_TASKS,
  type ChoiceQuestion,
  type ChoiceTask,
  type ChoiceTaskName,
  type Skipped,
  type SkipReason,
} from './types.js';
import { videoSource } from './video-source.js';

export const TASKS: Readonly<Record<ChoiceTaskName, ChoiceTask>> = {
  title: titleTask,
  description: descriptionTask,
  tag: tagTask,
  topic: topicTask,
  category: categoryTask,
  'comment-matching': commentMatchingTask,
  'comment-popularity': commentPopularityTask,
};

/** Chooses where the right option goes: 0 to 3. */
export type PlaceAnswer = (task: ChoiceTaskName) => number;

export interface BuildOptions {
  /** Default: all seven. */
  readonly tasks?: readonly ChoiceTaskName[];
  /** Default: each place as likely. A benchmark deals them evenly: `dealPlaces`. */
  readonly placeAnswer?: PlaceAnswer;
}

export interface BuiltQuestions {
  readonly questions: ChoiceQuestion[];
  readonly skipped: Skipped[];
}

/** Every question that the fields of a record allow: one a task, and one for each of its tags. */
export function buildQuestions(
  record: VideoRecord,
  index: CorpusIndex,
  rng: Rng,
  options: BuildOptions = {},
): BuiltQuestions {
  const questions: ChoiceQuestion[] = [];
  const skipped: Skipped[] = [];
  for (const task of options.tasks ?? CHOICE_TASKS) {
    const rights = TASKS[task].rightTexts(record, index);
    if (typeof rights === 'string') {
      skipped.push({ task, videoId: record.id, reason: rights });
      continue;
    }
    for (const [ordinal, right] of rights.entries()) {
      const built = assemble(
        TASKS[task],
        record,
        { right, ordinal, of: rights.length },
        index,
        rng,
        options.placeAnswer,
      );
      if ('reason' in built) skipped.push(built);
      else questions.push(built);
    }
  }
  return { questions, skipped };
}

/** One question of one task, drawn afresh at every call: what training asks at a visit. */
export function drawQuestion(
  task: ChoiceTaskName,
  record: VideoRecord,
  index: CorpusIndex,
  rng: Rng,
): ChoiceQuestion | Skipped {
  const rights = TASKS[task].rightTexts(record, index);
  if (typeof rights === 'string') return { task, videoId: record.id, reason: rights };
  const ordinal = rng.int(rights.length);
  return assemble(TASKS[task], record, { right: rights[ordinal] ?? '', ordinal, of: rights.length }, index, rng);
}

interface RightText {
  readonly right: string;
  readonly ordinal: number;
  readonly of: number;
}

function assemble(
  task: ChoiceTask,
  record: VideoRecord,
  { right, ordinal, of }: RightText,
  index: CorpusIndex,
  rng: Rng,
  placeAnswer: PlaceAnswer = () => rng.int(DISTRACTORS + 1),
): ChoiceQuestion | Skipped {
  const skip = (reason: SkipReason): Skipped => ({ task: task.name, videoId: record.id, reason });
  const rightTerm = makeTerm(right);
  if (namesIndex(rightTerm)) return skip('answer-names-index');
  const { texts, meta } = task.distractors(record, right, index, rng);
  if (texts.length < DISTRACTORS) return skip('too-few-distractors');
  const wrong = rng.shuffle([...texts]);
  const answer = placeAnswer(task.name);
  return {
    id: of === 1 ? `${record.id}:${task.name}` : `${record.id}:${task.name}:${ordinal + 1}`,
    ...videoSource(record),
    task: task.name,
    options: [...wrong.slice(0, answer), rightTerm.text, ...wrong.slice(answer)],
    answer,
    ...labelAxis(task.name, rightTerm.text, record.facts),
    ...(meta === undefined ? {} : { meta }),
  };
}
