import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng.js';
import { VideoRecord } from '../../../src/data/record.js';
import { drawFacts, FACT_VALUES } from '../../../src/data/synth/facts.js';
import { makeRecord } from '../../../src/data/synth/record.js';
import { syntheticVocabulary } from '../../../src/data/synth/vocabulary.js';
import { COMMENT_STYLES, OPENERS } from '../../../src/data/synth/words.js';
import { CorpusIndex, rankedComments } from '../../../src/data/tasks/corpus-index.js';
import { buildQuestions } from '../../../src/data/tasks/index.js';
import { promptText } from '../../../src/data/tasks/wording.js';

const rng = new Rng(11, 'records');
const records = Array.from({ length: 2000 }, (_, i) => makeRecord(drawFacts(rng), rng, `clip-${i}`));
const factWords = new Set<string>(Object.values(FACT_VALUES).flat());
const styleOf = (text: string) => COMMENT_STYLES.find((style) => OPENERS[style].includes(text.split(' ')[0] ?? ''));

describe('makeRecord', () => {
  it('follows the record schema', () => {
    for (const record of records.slice(0, 50)) expect(VideoRecord.parse(record)).toEqual(record);
  });

  it('puts exactly one fact word in each text, and a true one', () => {
    for (const { title = '', description = '', comments, tags } of records) {
      for (const text of [title, description, ...comments.map((comment) => comment.text)]) {
        const facts = text.split(' ').filter((word) => factWords.has(word));
        expect(facts).toHaveLength(1);
        expect(tags).toContain(facts[0]);
      }
    }
  });

  it('draws every value of every fact equally often', () => {
    // Chi-square with 3 degrees of freedom; 16.3 is passed by chance once in a thousand.
    for (const [kind, values] of Object.entries(FACT_VALUES)) {
      const expected = records.length / values.length;
      const chi2 = values
        .map((value) => records.filter(({ facts }) => facts?.[kind] === value).length)
        .reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
      expect(chi2, kind).toBeLessThan(16.3);
    }
  });

  it('makes the ironic comment the best liked, and ranks 3 to 5 one of each other style', () => {
    for (const record of records) {
      const ranked = rankedComments(record);
      const styles = ranked.map(({ text }) => styleOf(text));
      expect(styles[0]).toBe('irony');
      expect(styles[1]).not.toBe('irony');
      expect([...styles.slice(2)].sort()).toEqual(['ask', 'assoc', 'exclaim']);
      expect(new Set(ranked.map(({ text }) => text.split(' ').slice(1).join(' '))).size).toBe(1);
      expect(new Set(ranked.map(({ likes }) => likes)).size).toBe(5);
      expect(ranked[4]?.likes).toBeGreaterThan(0);
    }
  });

  it('does not betray the best-liked comment by its place in the list', () => {
    const places = [0, 0, 0, 0, 0];
    for (const { comments } of records) {
      const place = comments.findIndex(({ text }) => styleOf(text) === 'irony');
      places[place] = (places[place] ?? 0) + 1;
    }
    for (const count of places) expect(Math.abs(count - 400)).toBeLessThan(4 * Math.sqrt(2000 * 0.2 * 0.8));
  });

  it('lets category and topic together follow from background and motion', () => {
    const pairs = new Set(records.map(({ topic, category }) => `${topic} ${category}`));
    expect(pairs.size).toBe(16);
    expect(new Set(records.map(({ category }) => category)).size).toBe(8);
    expect(new Set(records.map(({ topic }) => topic)).size).toBe(4);
  });
});

it('syntheticVocabulary has every word of terse prompts and answers, and no other', () => {
  const index = new CorpusIndex(records);
  const said = new Set<string>(['comment']);
  for (const record of records) {
    for (const comment of record.comments) for (const word of comment.text.split(' ')) said.add(word);
    for (const question of buildQuestions(record, index, rng).questions) {
      for (const word of promptText(question, 'terse').split(' ')) said.add(word);
    }
  }
  const vocabulary = new Set(
    syntheticVocabulary()
      .flatMap((text) => text.split(' '))
      .filter((word) => word !== ''),
  );
  expect([...said].sort()).toEqual([...vocabulary].sort());
});
