import { rankedComments } from './corpus-index.js';
import { OptionSet } from './options.js';
import { makeTerm } from './text.js';
import type { ChoiceTask } from './types.js';

/** Ranks by likes that the wrong options are taken from; the nearest free one where a rank does not exist. */
const TARGET_RANKS = [10, 50, 100];

/** CoP: the best-liked comment of the video among less liked ones of the same video. */
export const commentPopularityTask: ChoiceTask = {
  name: 'comment-popularity',
  ability: 'UIU',
  wording: {
    natural: 'Viewers wrote all of these comments under this video. Which one got the most likes?',
    terse: 'popular',
  },
  rightTexts: (record) => {
    const [best] = rankedComments(record);
    return best === undefined ? 'no-comments' : [best.text];
  },
  distractors: (record, right) => {
    const ranked = rankedComments(record);
    const mostLikes = ranked[0]?.likes ?? 0;
    const options = new OptionSet(makeTerm(right));
    const ranks: number[] = [];
    for (const target of TARGET_RANKS) {
      const nearestFirst = ranked
        .map((comment, i) => ({ ...comment, rank: i + 1 }))
        .filter(({ rank, likes }) => likes < mostLikes && !ranks.includes(rank))
        .sort((a, b) => Math.abs(a.rank - target) - Math.abs(b.rank - target) || a.rank - b.rank);
      const taken = nearestFirst.find(({ text }) => options.offer(makeTerm(text)));
      if (taken !== undefined) ranks.push(taken.rank);
    }
    return { texts: options.texts, meta: { ranks } };
  },
};
