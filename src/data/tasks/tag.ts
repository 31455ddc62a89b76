import { fillByFrequency, OptionSet } from './options.js';
import type { Tag } from './tag-index.js';
import { makeTerm, type Term } from './text.js';
import type { ChoiceTask } from './types.js';

/**
 * TaM: one of the video's tags among tags of videos that share none with it; first those that other videos have in the
 * place of the right one.
 */
export const tagTask: ChoiceTask = {
  name: 'tag',
  ability: 'CAM',
  wording: { natural: 'Which hashtag belongs to this video?', terse: 'tag' },
  rightTexts: ({ tags }) => {
    const own = tags.map((tag) => tag.replace(/^\s*#+/, '')).filter((tag) => tag.trim() !== '');
    return own.length === 0 ? 'no-tags' : [...new Set(own)];
  },
  distractors: (record, right, index, rng) => {
    const { tags } = index;
    const own = index.ownTagsOf(record);
    const rightTag = tags.find(right);
    const options = new OptionSet<Term>(rightTag ?? makeTerm(right));
    const allowed = ({ id }: Tag) => !own.known.has(id) && tags.onDisjointVideo(id, own.known, rng);
    if (rightTag !== undefined) {
      const { occurrences, distinct } = tags.substitutes(rightTag.id);
      fillByFrequency(options, tags.listed(occurrences), tags.listed(distinct), rng, allowed);
    }
    if (!options.full) fillByFrequency(options, tags.occurrences, tags.distinct, rng, allowed);
    return { texts: options.texts };
  },
};
