/** The words that creators and viewers of synthetic clips use, besides the fact words. */
import type { Facts } from './facts.js';

export const TITLE_HOOKS = ['watch', 'finally', 'daily', 'behold'] as const;

export const COMMENT_STYLES = ['exclaim', 'ask', 'assoc', 'irony'] as const;
export type CommentStyle = (typeof COMMENT_STYLES)[number];

/** First words of a comment: what tells its style. */
export const OPENERS: Readonly<Record<CommentStyle, readonly string[]>> = {
  exclaim: ['wow', 'amazing', 'yay', 'hooray'],
  ask: ['why', 'how', 'who', 'where'],
  assoc: ['reminds', 'resembles', 'like', 'echoes'],
  irony: ['sure', 'groundbreaking', 'riveting', 'oscar'],
};

export const TOPIC_OF_BG: Readonly<Record<Facts['bg'], string>> = {
  beach: 'travel',
  night: 'party',
  meadow: 'farming',
  brick: 'city',
};

type MotionWords = Readonly<Record<Facts['motion'], string>>;
const BEACH_OR_NIGHT: MotionWords = {
  clockwise: 'carousel',
  anticlockwise: 'rewind',
  hopping: 'trampoline',
  resting: 'siesta',
};
const MEADOW_OR_BRICK: MotionWords = {
  clockwise: 'waltz',
  anticlockwise: 'moonwalk',
  hopping: 'parkour',
  resting: 'statue',
};

/** Two groups of backgrounds, four motions: within a group of backgrounds only the motion tells the category. */
export const CATEGORY_OF: Readonly<Record<Facts['bg'], MotionWords>> = {
  beach: BEACH_OR_NIGHT,
  night: BEACH_OR_NIGHT,
  meadow: MEADOW_OR_BRICK,
  brick: MEADOW_OR_BRICK,
};
