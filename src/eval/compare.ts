import { ConfigError } from '../base/errors.js';
import { Rng } from '../base/rng.js';
import { type Answer, isRight } from './answers.js';
import { groupBy } from './group-by.js';

export interface Comparison {
  readonly questions: number;
  readonly videos: number;
  readonly accuracyA: number;
  readonly accuracyB: number;
  /** B minus A. */
  readonly difference: number;
  /** Two-sided: how often swapping the runs' names video by video gives a difference at least as large. */
  readonly pValue: number;
  /** Whether every swap was tried; else `permutations` random ones were. */
  readonly exact: boolean;
  readonly permutations: number;
}

export interface CompareOptions {
  readonly seed?: number;
  /** Random sign patterns where 2^videos is more than this. */
  readonly permutations?: number;
}

/**
 * Compares two runs over the same questions by a sign-flip permutation test with videos as units.
 *
 * Under the null hypothesis the runs are interchangeable within each video, so the sign of a video's difference is a
 * coin toss. Videos without a difference change nothing and are left out of the tosses.
 *
 * @throws ConfigError E_COMPARE_QUESTIONS when the runs did not answer the same questions
 */
export function compareRuns(a: readonly Answer[], b: readonly Answer[], options: CompareOptions = {}): Comparison {
  const { seed = 1, permutations = 10_000 } = options;
  const ofB = new Map(b.map((answer) => [answer.questionId, answer]));
  const common = a.filter((answer) => ofB.get(answer.questionId)?.answer === answer.answer);
  if (a.length === 0 || common.length !== a.length || ofB.size !== new Set(a.map((answer) => answer.questionId)).size) {
    throw new ConfigError(
      'E_COMPARE_QUESTIONS',
      `the runs share ${common.length} questions, expected all: ${a.length} in the first, ${b.length} in the second`,
      { hint: 'evaluate both on the same benchmark file' },
    );
  }
  const byVideo = groupBy(common, (answer) => answer.videoId);
  const score = (answer: Answer | undefined) => (answer !== undefined && isRight(answer) ? 1 : 0);
  const gains = [...byVideo.values()].map((answers) =>
    answers.reduce((sum, answer) => sum + score(ofB.get(answer.questionId)) - score(answer), 0),
  );
  const rightA = common.filter(isRight).length;
  const gain = gains.reduce((sum, value) => sum + value, 0);
  return {
    questions: common.length,
    videos: byVideo.size,
    accuracyA: rightA / common.length,
    accuracyB: (rightA + gain) / common.length,
    difference: gain / common.length,
    ...signFlipTest(
      gains.filter((value) => value !== 0),
      new Rng(seed, 'sign-flip'),
      permutations,
    ),
  };
}

function signFlipTest(
  gains: readonly number[],
  rng: Rng,
  permutations: number,
): Pick<Comparison, 'pValue' | 'exact' | 'permutations'> {
  const observed = Math.abs(gains.reduce((sum, value) => sum + value, 0));
  const reaches = (isFlipped: (i: number) => boolean) =>
    Math.abs(gains.reduce((sum, value, i) => sum + (isFlipped(i) ? -value : value), 0)) >= observed;
  const patterns = 2 ** gains.length;
  let extreme = 0;
  if (patterns <= permutations) {
    for (let pattern = 0; pattern < patterns; pattern++) if (reaches((i) => ((pattern >> i) & 1) === 1)) extreme++;
    return { pValue: extreme / patterns, exact: true, permutations: patterns };
  }
  for (let draw = 0; draw < permutations; draw++) if (reaches(() => (rng.uint32() & 1) === 1)) extreme++;
  // The observed pattern is one of the possible ones; counting it keeps the test valid.
  return { pValue: (extreme + 1) / (permutations + 1), exact: false, permutations };
}
