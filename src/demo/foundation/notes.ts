/**
 * The language stages' texts: written notes of a clip's facts, and questions about single facts.
 *
 * A note is to the demo what web text is to a published language model: it teaches the words, the task phrasings, and
 * to answer with an option's letter, before any video is seen.
 */
import type { Rng } from '../../base/rng.js';
import type { Turn } from '../../data/prompt.js';
import { FACT_VALUES, type FactKind, type Facts } from '../../data/synth/facts.js';

const LETTERS = ['A', 'B', 'C', 'D'] as const;

/** Words of notes and attribute questions that records do not hold. */
export const NOTE_WORDS = ['note', 'is'] as const;

/** `note` and the six fact words in random order. */
export function writeNote(facts: Facts, rng: Rng): string {
  const words = rng.shuffle(Object.values(facts).map(String));
  return `note ${words.join(' ')}`;
}

/** One fact asked for by its name, all four values as options. */
export function attributeChoice(facts: Facts, fact: FactKind, rng: Rng): Turn {
  const options = rng.shuffle([...FACT_VALUES[fact]]);
  const lettered = options.map((option, i) => `${LETTERS[i]} ${option}`).join(' ');
  return { prompt: `${fact} ? ${lettered} answer`, answer: LETTERS[options.indexOf(facts[fact])] ?? 'A' };
}

/** One fact asked for openly; a phrasing of its own, since letter and word under one phrasing would contradict. */
export function attributeOpen(facts: Facts, fact: FactKind): Turn {
  return { prompt: `${fact} is`, answer: facts[fact] };
}
