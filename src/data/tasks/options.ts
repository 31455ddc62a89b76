/** Choosing wrong options: quality control and random order. */
import type { Rng } from '../../base/rng.js';
import { containsTerm, namesIndex, nearEqual, type Term } from './text.js';

export const DISTRACTORS = 3;

/** Items by their number: an array, or something that makes them when asked. */
export interface List<T> {
  readonly length: number;
  at(index: number): T | undefined;
}

/** Visits the items in random order until `visit` returns true; asks for no item but those. */
export function visitShuffled<T>(items: List<T>, rng: Rng, visit: (item: T) => boolean): void {
  /** What stands at places that were changed: most of a long list never is. */
  const moved = new Map<number, number>();
  for (let i = 0; i < items.length; i++) {
    const j = i + rng.int(items.length - i);
    const chosen = moved.get(j) ?? j;
    moved.set(j, moved.get(i) ?? i);
    const item = items.at(chosen);
    if (item !== undefined && visit(item)) return;
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
export function fillByFrequency<T extends Term>(
  options: OptionSet,
  occurrences: List<T>,
  distinct: List<T>,
  rng: Rng,
  allowed: (term: T) => boolean = () => true,
): void {
  const draws = occurrences.length === 0 ? 0 : 8 * DISTRACTORS;
  for (let draw = 0; draw < draws && !options.full; draw++) {
    const term = occurrences.at(rng.int(occurrences.length));
    if (term !== undefined && allowed(term)) options.offer(term);
  }
  if (options.full) return;
  visitShuffled(distinct, rng, (term) => {
    if (allowed(term)) options.offer(term);
    return options.full;
  });
}
