import { describe, expect, it } from 'vitest';
import { compareRuns } from '../../src/eval/compare.js';
import { scoreAnswers } from '../../src/eval/score.js';
import { comparisonText, percent, scoreTable } from '../../src/eval/table.js';
import { answer } from './question.js';

const right = [answer('1', 'a', true), answer('2', 'b', true, { task: 'topic', axis: 'spatial' })];

describe('scoreTable', () => {
  it('shows every slice with interval, counts and baselines', () => {
    const scores = scoreAnswers(right);
    const random = scoreAnswers(right.map((one) => ({ ...one, choice: 1 })));
    expect(scoreTable(scores, { random }).split('\n')).toEqual([
      '                       accuracy           95 %  right  random',
      '---------------------  --------  -------------  -----  ------',
      'title                     100.0  100.0 - 100.0    1/1     0.0',
      'topic                     100.0  100.0 - 100.0    1/1     0.0',
      'CIU                       100.0  100.0 - 100.0    1/1     0.0',
      'CAM                       100.0  100.0 - 100.0    1/1     0.0',
      'spatial                   100.0  100.0 - 100.0    1/1     0.0',
      'macro (mean of tasks)     100.0  100.0 - 100.0            0.0',
      'micro (all questions)     100.0  100.0 - 100.0    2/2     0.0',
      '2 videos; 95 % intervals by bootstrap over videos',
    ]);
  });

  it('says when questions failed', () => {
    expect(scoreTable(scoreAnswers([answer('1', 'a', null)]))).toContain('1 questions failed and count as wrong');
  });
});

describe('comparisonText', () => {
  it('says difference, p-value and test', () => {
    const wrong = right.map((one) => ({ ...one, choice: 1 }));
    expect(comparisonText(compareRuns(wrong, right), 'old.json')).toBe(
      'against old.json: 100.0 and 0.0, difference +100.0 points on 2 questions, p = 0.500 ' +
        '(exact sign-flip test over 2 videos, 4 patterns)',
    );
  });
});

describe('percent', () => {
  it('shows a missing share as a dash', () => {
    expect([percent(0.1234), percent(undefined), percent(Number.NaN)]).toEqual(['12.3', '-', '-']);
  });
});
