import { pooledDistractors } from './pooled-text-task.js';
import type { ChoiceTask } from './types.js';

/** DeS: the creator's description among descriptions of videos of other topics. */
export const descriptionTask: ChoiceTask = {
  name: 'description',
  ability: 'CIU',
  wording: { natural: 'Which description did the creator write for this video?', terse: 'description' },
  rightTexts: ({ description }) => (description?.trim() ? [description] : 'no-description'),
  distractors: (record, right, index, rng) =>
    pooledDistractors(index.descriptions, record.topic, record, right, index, rng),
};
