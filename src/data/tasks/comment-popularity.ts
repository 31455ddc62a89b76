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
      for (const rank of nearestFirst(target, ranked.length)) {
        const comment = ranked[rank - 1];
        if (comment === undefined || comment.likes >= mostLikes || ranks.includes(rank)) continue;
        if (!options.offer(makeTerm(comment.text))) continue;
        ranks.push(rank);
        break;
      }
    }
    return { texts: options.texts, meta: { ranks } };
  },
};

/** Ranks from 1 to `count`, those nearest to `target` first, the better of two equally near ones before the other. */
function* nearestFirst(target: number, count: number): Generator<number> {
  for (let away = Math.max(0, target - count); away < Math.max(target, count); away++) {
    if (target - away >= 1 && target - away <= count) yield target - away;
    if (away > 0 && target + away <= count) yield target + away;
  }
}
