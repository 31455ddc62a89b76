import { rankedComments } from './corpus-index.js';
import { pooledDistractors } from './pooled-text-task.js';
import type { ChoiceTask } from './types.js';

/** CoM: the video's best-liked comment among the best-liked of videos of other categories. */
export const commentMatchingTask: ChoiceTask = {
  name: 'comment-matching',
  ability: 'UIU',
  wording: { natural: 'Which of these comments was written under this video?', terse: 'match' },
  rightTexts: (record) => {
    const [best] = rankedComments(record);
    return best === undefined ? 'no-comments' : [best.text];
  },
  distractors: (record, right, index, rng) =>
    pooledDistractors(index.topComments, record.category, record, right, index, rng),
};
