/** Choosing wrong options: quality control and random order. */
import type { Rng } from '../../base/rng.js';
import { containsTerm, namesIndex, nearEqual, type Term } from './text.js';

export const DISTRACTORS = 3;

/** Visits the items in random order until `visit` returns true. */
export function visitShuffled<T>(items: readonly T[], rng: Rng, visit: (item: T) => boolean): void {
  const order = items.slice();
  for (let i = 0; i < order.length; i++) {
    const j = i + rng.int(order.length - i);
    const item = order[j] as T;
    order[j] = order[i] as T;
    if (visit(item)) return;
  }
}

/** Up to three terms that are acceptable beside the right one. */
export class OptionSet<T extends Term = Term> {
  readonly chosen: T[] = [];

  constructor(readonly right: Term) {}

  get full(): boolean {
    return this.chosen.length === DISTRACTORS;
  }

  /**
   * Whether `candidate` may stand beside the right option and those chosen: not near-equal to any, neither containing
   * the answer nor contained in it, and not naming an option letter.
   */
  accepts(candidate: Term): boolean {
    const { right } = this;
    if (nearEqual(candidate, right) || containsTerm(candidate, right) || containsTerm(right, candidate)) return false;
    return !namesIndex(candidate) && !this.chosen.some((other) => nearEqual(candidate, other));
  }

  /** Adds the candidate if there is room and it is acceptable. */
  offer(candidate: T): boolean {
    if (this.full || !this.accepts(candidate)) return false;
    this.chosen.push(candidate);
    return true;
  }

  get texts(): string[] {
    return this.chosen.map(({ text }) => text);
  }
}

/**
 * Fills `options` from a list with repetitions, so that a distractor is as frequent as the same text is as an answer,
 * and then, if draws were unlucky, from the distinct values in random order.
 */
export function fillByFrequency(
  options: OptionSet,
  occurrences: readonly Term[],
  distinct: readonly Term[],
  rng: Rng,
  allowed: (term: Term) => boolean = () => true,
): void {
  const draws = occurrences.length === 0 ? 0 : 8 * DISTRACTORS;
  for (let draw = 0; draw < draws && !options.full; draw++) {
    const term = rng.pick(occurrences);
    if (allowed(term)) options.offer(term);
  }
  if (options.full) return;
  visitShuffled(distinct, rng, (term) => {
    if (allowed(term)) options.offer(term);
    return options.full;
  });
}
