import { makeTerm } from './text.js';
import type { ChoiceTaskName, QuestionAxis } from './types.js';

/** Kinds of facts of synthetic clips that single frames cannot show. */
const TEMPORAL_FACTS: ReadonlySet<string> = new Set(['motion', 'lamp']);

export interface AxisLabel {
  readonly axis: QuestionAxis;
  readonly fact: string;
}

/**
 * What a viewer must have seen to answer, from the known facts of a synthetic clip: the fact that the right option
 * names; else, since topic follows the scene and category the motion, the fact behind the label.
 */
export function labelAxis(
  task: ChoiceTaskName,
  right: string,
  facts: Readonly<Record<string, string>> | undefined,
): AxisLabel | undefined {
  if (facts === undefined) return undefined;
  if (task === 'comment-popularity') return { axis: 'style', fact: 'style' };
  if (task === 'topic') return { axis: 'spatial', fact: 'bg' };
  if (task === 'category') return { axis: 'temporal', fact: 'motion' };
  const { words } = makeTerm(right);
  const fact = Object.keys(facts).find((kind) => words.includes(facts[kind] ?? ''));
  return fact === undefined ? undefined : { axis: TEMPORAL_FACTS.has(fact) ? 'temporal' : 'spatial', fact };
}
