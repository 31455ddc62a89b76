import { fillByFrequency, OptionSet } from './options.js';
import { makeTerm } from './text.js';
import type { ChoiceTask } from './types.js';

/** CaM: the video's category; first among those that videos of its topic have, so that the topic does not tell. */
export const categoryTask: ChoiceTask = {
  name: 'category',
  ability: 'CAM',
  wording: { natural: 'Which category does this video belong to?', terse: 'category' },
  rightTexts: ({ category }) => (category?.trim() ? [category] : 'no-category'),
  distractors: ({ topic }, right, index, rng) => {
    const options = new OptionSet(makeTerm(right));
    for (const pool of [index.categoriesOf(topic), index.categories]) {
      if (!options.full) fillByFrequency(options, pool.occurrences, pool.distinct, rng);
    }
    return { texts: options.texts };
  },
};
