import { fillByFrequency, OptionSet } from './options.js';
import { makeTerm } from './text.js';
import type { ChoiceTask } from './types.js';

/** ToM: the video's topic among other topics. */
export const topicTask: ChoiceTask = {
  name: 'topic',
  ability: 'CAM',
  wording: { natural: 'What is the topic of this video?', terse: 'topic' },
  rightTexts: ({ topic }) => (topic?.trim() ? [topic] : 'no-topic'),
  distractors: (_record, right, { topics }, rng) => {
    const options = new OptionSet(makeTerm(right));
    fillByFrequency(options, topics.occurrences, topics.distinct, rng);
    return { texts: options.texts };
  },
};
