import { describe, expect, it } from 'vitest';
import type { ChoiceQuestion } from '../../../src/data/tasks/types.js';
import { chooseProbes, probeMarkdown } from '../../../src/train/report/probe.js';
import { probeSection } from '../../../src/train/report/probe-section.js';

const question = (task: ChoiceQuestion['task'], videoId: string): ChoiceQuestion => {
  return {
    id: `${videoId}:${task}`,
    task,
    videoId,
    videoPath: `${videoId}.mp4`,
    options: ['a', 'b', 'c', 'd'],
    answer: 1,
  };
};

describe('probes', () => {
  it('are of as many tasks and videos as there are', () => {
    const questions = [question('title', 'v0'), question('title', 'v1'), question('tag', 'v0'), question('tag', 'v2')];
    expect(chooseProbes(questions, 2).map(({ id }) => id)).toEqual(['v0:title', 'v2:tag']);
    expect(chooseProbes(questions, 9).length).toBe(4);
    expect(chooseProbes([], 3)).toEqual([]);
    expect(chooseProbes(questions, 0)).toEqual([]);
  });

  const hostile = {
    ...{ id: '1', task: 'title', video: '<script>.mp4', options: ['a|b\nc', '<img src=x onerror=alert(1)>', 'ok', ''] },
    ...{ answer: 0, probabilities: [0.1, 0.7, 0.2, 0], comment: '<b>bold</b>\n| no table |' },
  };

  it('are shown as text, whatever titles and the model say', () => {
    const text = probeMarkdown(30, [hostile]);
    expect(text).toContain('# Probe answers after step 30\n\n0 of 1 choices are right.');
    expect(text).toContain('| A | a\\|b c | 0.100 | right |\n| B | &lt;img src=x onerror=alert(1)> | 0.700 | chosen |');
    expect(text).toContain('> &lt;b>bold&lt;/b>\n> | no table |');
    expect(probeSection([{ step: 30, answers: [hostile] }])).not.toMatch(/<script|<img|<b>/);
  });

  it('are a bounded part of the page however many validations there were and however much was written', () => {
    const answer = { ...hostile, comment: 'long '.repeat(10_000) };
    const points = Array.from({ length: 500 }, (_, i) => ({ step: i, answers: [answer, { ...answer, id: '2' }] }));
    const html = probeSection(points);
    expect(html.length).toBeLessThan(20_000);
    expect(html).toContain('10 of 500 are shown');
    expect(html).toContain('>0</th>');
    expect(html).toContain('>499</th>');
  });
});
