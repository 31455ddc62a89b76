import { describe, expect, it } from 'vitest';
import { letterIds } from '../../src/data/prompt.js';
import { TASKS } from '../../src/data/tasks/index.js';
import { CHOICE_TASKS, type ChoiceQuestion } from '../../src/data/tasks/types.js';
import { promptText } from '../../src/data/tasks/wording.js';
import { createTokenizer } from '../../src/data/tokenizer.js';
import { buildWordTokenizerJson } from '../../src/data/word-tokenizer.js';
import { choicePrompt, letterTokenIds } from '../../src/infer/choice-prompt.js';
import { byteTokenizer } from './byte-tokenizer.js';

const options = ['finally so red', 'finally so blue', 'finally so green', 'a cat'];

describe('choicePrompt', () => {
  it.each(CHOICE_TASKS)('gives the training prompt for the question of task %s, in both wordings', (task) => {
    const question: ChoiceQuestion = { id: 'q', videoId: 'v', videoPath: 'v.mp4', task, options, answer: 0 };
    const { natural, terse } = TASKS[task].wording;
    expect(choicePrompt(`${terse} ?`, options, 'terse')).toBe(promptText(question, 'terse'));
    expect(choicePrompt(natural, options, 'natural')).toBe(promptText(question, 'natural'));
  });

  it('words a free question like a task', () => {
    expect(choicePrompt('who wins ?', ['red', 'blue'], 'terse')).toBe('who wins ? A red B blue answer');
    expect(choicePrompt('Who wins?', ['red', 'blue'], 'natural')).toBe(
      'Who wins?\nA. red\nB. blue\nAnswer with the letter of the right option.',
    );
  });

  it('letters up to eight options A to H', () => {
    const eight = Array.from('stuvwxyz');
    expect(choicePrompt('q ?', eight, 'terse')).toBe('q ? A s B t C u D v E w F x G y H z answer');
  });

  it.each([
    [['one'], 'options: got 1, expected 2 to 8 texts'],
    [Array.from('123456789'), 'options: got 9, expected 2 to 8 texts'],
    [['a', ' '], 'options: got an empty option B, expected 2 to 8 texts'],
  ])('refuses %j', (wrong, message) => {
    expect(() => choicePrompt('q ?', wrong, 'terse')).toThrow(message);
  });
});

describe('letterTokenIds', () => {
  it('are the ids that training supervises, and go on to H', async () => {
    const tokenizer = await createTokenizer(buildWordTokenizerJson(['title ? A finally so red answer']));
    expect(letterTokenIds(tokenizer, 4)).toEqual(letterIds(tokenizer));
    expect(letterTokenIds(byteTokenizer, 8)).toEqual([65, 66, 67, 68, 69, 70, 71, 72]);
  });

  it('refuses a tokenizer that splits letters', () => {
    const doubled = { ...byteTokenizer, encode: (text: string) => [...byteTokenizer.encode(text), 1] };
    expect(() => letterTokenIds(doubled, 2)).toThrow(
      'option letters: got ids [[65,1],[66,1]], expected one of its own for each',
    );
  });
});
