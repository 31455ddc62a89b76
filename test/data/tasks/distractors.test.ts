import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng.js';
import type { VideoRecord } from '../../../src/data/record.js';
import { CorpusIndex, rankedComments } from '../../../src/data/tasks/corpus-index.js';
import { buildQuestions, drawQuestion } from '../../../src/data/tasks/index.js';
import type { ChoiceQuestion, ChoiceTaskName } from '../../../src/data/tasks/types.js';
import { recordOf, userCorpus } from './user-corpus.js';

const index = new CorpusIndex(userCorpus);

/** The question drawn many times: what can happen, not what happened once. */
function draws(task: ChoiceTaskName, record: VideoRecord, count = 60, corpus = index): ChoiceQuestion[] {
  const rng = new Rng(3, 'draws');
  return Array.from({ length: count }, () => drawQuestion(task, record, corpus, rng)).map((question) => {
    if ('reason' in question) throw new Error(`skipped: ${question.reason}`);
    return question;
  });
}
const wrongOf = ({ options, answer }: ChoiceQuestion) => options.filter((_, i) => i !== answer);

describe('titles and descriptions', () => {
  it.each(['title', 'description'] as const)('%s: wrong options come from videos of other topics', (task) => {
    for (const record of userCorpus) {
      for (const question of draws(task, record, 5)) {
        expect(question.options[question.answer]).toBe(record[task]);
        for (const wrong of wrongOf(question)) {
          expect(userCorpus.find((other) => other[task] === wrong)?.topic).not.toBe(record.topic);
        }
      }
    }
  });

  it('prefers titles of the same length with the same words in the same places', () => {
    const wrong = draws('title', recordOf('How to juggle')).map(wrongOf);
    expect(
      wrong.every((texts) => texts.includes('How to fold dumplings fast') && texts.includes('How to tune a guitar')),
    ).toBe(true);
  });

  it('never offers a text that spells one of the tags of the video', () => {
    const tagged = { ...recordOf('This parrot'), tags: ['team', 'secret', 'opengoal'] };
    const wrong = draws(
      'title',
      tagged,
      200,
      new CorpusIndex([...userCorpus.filter(({ id }) => id !== tagged.id), tagged]),
    ).flatMap(wrongOf);
    expect(wrong.filter((text) => /team|secret|open goal/.test(text))).toEqual([]);
  });

  it('takes texts of the own topic when there is no other', () => {
    const pets = userCorpus.map((record) => ({ ...record, topic: 'pets' }));
    const [question] = draws('title', pets[0] ?? recordOf('My cat'), 1, new CorpusIndex(pets));
    expect(question?.options).toHaveLength(4);
  });

  it('answers for a record outside of the corpus, minding its tags', () => {
    const stranger = {
      ...recordOf('My cat'),
      id: 'new',
      title: 'How to win a derby',
      tags: ['guitar', 'osaka', 'unheard'],
    };
    for (const question of draws('title', stranger)) {
      expect(question.options[question.answer]).toBe('How to win a derby');
      expect(question.options.some((text) => /guitar|osaka/i.test(text))).toBe(false);
    }
  });
});

describe('tags', () => {
  it('asks one question for each own tag; wrong ones come from videos that share no tag', () => {
    const record = recordOf('Our kitten');
    const { questions } = buildQuestions(record, index, new Rng(1), { tasks: ['tag'] });
    expect(questions.map(({ options, answer }) => options[answer])).toEqual(['cat', 'dog', 'pets']);
    expect(questions.map(({ id }) => id)).toEqual(['video-1:tag:1', 'video-1:tag:2', 'video-1:tag:3']);
    const disjoint = userCorpus
      .filter(({ tags }) => !tags.some((tag) => record.tags.includes(tag)))
      .flatMap(({ tags }) => tags);
    for (const question of draws('tag', record))
      for (const wrong of wrongOf(question)) expect(disjoint).toContain(wrong);
  });

  it('offers tags that replace the right one, not those that accompany it', () => {
    // Videos are (animal, place, sound) with everything combined: the animals never meet, animal and place do.
    const kinds = [
      ['cat', 'dog', 'hen', 'cow'],
      ['home', 'yard', 'barn', 'park'],
      ['quiet', 'loud', 'noisy', 'mute'],
    ];
    const records = Array.from({ length: 64 }, (_, i) => ({
      id: `${i}`,
      video_path: `${i}.mp4`,
      tags: kinds.map((values, kind) => values[Math.floor(i / 4 ** kind) % 4] ?? ''),
      comments: [],
    }));
    const corpus = new CorpusIndex(records);
    for (const record of records) {
      for (const { options } of draws('tag', record, 6, corpus)) {
        expect(kinds.map((values) => [...values].sort())).toContainEqual([...options].sort());
      }
    }
  });

  it('compares tags without #, case and spaces', () => {
    const record = { ...recordOf('Street food'), tags: ['#StreetFood', 'Osaka'] };
    const wrong = draws('tag', record)
      .flatMap(wrongOf)
      .map((tag) => tag.toLowerCase());
    expect(wrong).not.toContain('streetfood');
    expect(wrong).not.toContain('osaka');
    expect(draws('tag', record, 20).some(({ options, answer }) => options[answer] === 'StreetFood')).toBe(true);
  });
});

describe('topic and category', () => {
  it('offer other labels of the corpus', () => {
    for (const { options } of draws('topic', recordOf('My cat'))) {
      expect(options.every((label) => ['pets', 'food', 'sports', 'music', 'travel'].includes(label))).toBe(true);
      expect(new Set(options).size).toBe(4);
    }
  });

  it('category: those that videos of the same topic have come first', () => {
    const records = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((category, i) => ({
      ...recordOf('My cat'),
      id: category,
      topic: i < 4 ? 'first' : 'second',
      category,
    }));
    const named = records.map((record) => ({ ...record, category: `kind ${record.category}${record.category}` }));
    const corpus = new CorpusIndex(named);
    const [first] = named;
    if (first === undefined) throw new Error('no record');
    for (const { options } of draws('category', first, 30, corpus)) {
      expect([...options].sort()).toEqual(['kind aa', 'kind bb', 'kind cc', 'kind dd']);
    }
  });
});

describe('comments', () => {
  it('matching: the best-liked comment among the best-liked of other categories', () => {
    const best = new Map(userCorpus.map((record) => [rankedComments(record)[0]?.text, record]));
    for (const record of userCorpus) {
      for (const question of draws('comment-matching', record, 5)) {
        expect(best.get(question.options[question.answer])).toBe(record);
        for (const wrong of wrongOf(question)) expect(best.get(wrong)?.category).not.toBe(record.category);
      }
    }
  });

  it('popularity: the best-liked against ranks 10, 50 and 100, or the nearest there are', () => {
    const rank = (record: VideoRecord, text: string) =>
      rankedComments(record).findIndex((comment) => comment.text === text) + 1;
    const counts = [5, 17, 29, 41, 53, 65, 77, 89, 101, 113];
    const expected = [
      [5, 4, 3],
      [10, 17, 16],
      [10, 29, 28],
      [10, 41, 40],
      [10, 50, 53],
      [10, 50, 65],
      [10, 50, 77],
      [10, 50, 89],
      [10, 50, 100],
      [10, 50, 100],
    ];
    for (const [i, count] of counts.entries()) {
      const record = userCorpus[i];
      if (record?.comments.length !== count) throw new Error('the corpus has changed');
      const [question] = draws('comment-popularity', record, 1);
      if (question === undefined) throw new Error('no question');
      expect(question.meta).toEqual({ ranks: expected[i] });
      expect(rank(record, question.options[question.answer] ?? '')).toBe(1);
      expect(
        wrongOf(question)
          .map((text) => rank(record, text))
          .sort((a, b) => a - b),
      ).toEqual([...(expected[i] ?? [])].sort((a, b) => a - b));
    }
  });

  it('popularity: a comment with as many likes as the best is no wrong option', () => {
    const comments = ['one fish', 'two birds', 'red cats', 'blue dogs', 'old cows', 'new pigs'].map((text, i) => ({
      text,
      likes: i < 3 ? 9 : 1,
    }));
    const [question] = draws('comment-popularity', { ...recordOf('My cat'), comments }, 1);
    expect(question?.meta).toEqual({ ranks: [6, 5, 4] });
    const tied = drawQuestion(
      'comment-popularity',
      { ...recordOf('My cat'), comments: comments.slice(0, 5) },
      index,
      new Rng(1),
    );
    expect(tied).toMatchObject({ reason: 'too-few-distractors' });
  });
});
