import { pooledDistractors } from './pooled-text-task.js';
import type { ChoiceTask } from './types.js';

/** TiS: the creator's title among titles of videos of other topics. */
export const titleTask: ChoiceTask = {
  name: 'title',
  ability: 'CIU',
  wording: { natural: 'Which title did the creator give this video?', terse: 'title' },
  rightTexts: ({ title }) => (title?.trim() ? [title] : 'no-title'),
  distractors: (record, right, index, rng) => pooledDistractors(index.titles, record.topic, record, right, index, rng),
};
