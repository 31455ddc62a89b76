import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.js';
import { drawFacts, FACT_KINDS, FACT_VALUES } from '../../src/data/synth/facts.js';
import { attributeChoice, attributeOpen, writeNote } from '../../src/demo/foundation/notes.js';

describe('notes', () => {
  it('hold every fact once, in changing order', () => {
    const facts = drawFacts(new Rng(1));
    const notes = Array.from({ length: 20 }, (_, i) => writeNote(facts, new Rng(i, 'note')));
    for (const note of notes) expect(note.split(' ').sort()).toEqual(['note', ...Object.values(facts)].sort());
    expect(new Set(notes).size).toBeGreaterThan(15);
  });

  it('ask a fact with all its values as options, the right one under the answer letter', () => {
    for (let i = 0; i < 50; i++) {
      const rng = new Rng(i, 'choice');
      const facts = drawFacts(rng);
      const fact = rng.pick(FACT_KINDS);
      const { prompt, answer } = attributeChoice(facts, fact, rng);
      const words = prompt.split(' ');
      expect(words.slice(0, 2)).toEqual([fact, '?']);
      expect(words.at(-1)).toBe('answer');
      expect(words[words.indexOf(answer ?? '?') + 1]).toBe(facts[fact]);
      const options = words.slice(2, -1).filter((_, j) => j % 2 === 1);
      expect([...options].sort()).toEqual([...FACT_VALUES[fact]].sort());
    }
  });

  it('ask openly in a phrasing of their own', () => {
    const facts = drawFacts(new Rng(4));
    expect(attributeOpen(facts, 'color')).toEqual({ prompt: 'color is', answer: facts.color });
  });
});
