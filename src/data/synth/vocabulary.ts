import { COMMENT_WORDING } from '../tasks/comment.js';
import { TASKS } from '../tasks/index.js';
import { OPTION_LETTERS } from '../tasks/types.js';
import { FACT_VALUES } from './facts.js';
import { PHRASES } from './record.js';
import { CATEGORY_OF, OPENERS, TITLE_HOOKS, TOPIC_OF_BG } from './words.js';

/** Every word that records of the synthetic corpus and terse prompts about them can hold, for its tokenizer. */
export function syntheticVocabulary(): string[] {
  const facts = {
    shape: 'ball',
    color: 'red',
    bg: 'beach',
    layout: 'topleft',
    motion: 'resting',
    lamp: 'dark',
  } as const;
  return [
    ...Object.values(FACT_VALUES).flat(),
    ...Object.values(PHRASES).map((phrase) => phrase(facts)),
    ...TITLE_HOOKS,
    ...Object.values(OPENERS).flat(),
    ...Object.values(TOPIC_OF_BG),
    ...Object.values(CATEGORY_OF).flatMap((words) => Object.values(words)),
    ...Object.values(TASKS).map(({ wording }) => wording.terse),
    COMMENT_WORDING.terse,
    ...OPTION_LETTERS,
    '? answer',
  ];
}
