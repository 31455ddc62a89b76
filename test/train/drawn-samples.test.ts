import { describe, expect, it } from 'vitest';
import { DrawnSamples } from '../../src/train/drawn-samples.js';
import type { DrawnSample } from '../../src/train/training-data.js';

function sample(id: string, length: number): DrawnSample {
  const empty = new Int32Array(length);
  return { id, video: null, tokens: { ids: empty, labels: empty, answerTurn: empty, numVisual: 0 } };
}

describe('DrawnSamples', () => {
  it('draws a sample once for two visits, and again for the third', () => {
    const samples = new DrawnSamples();
    let draws = 0;
    const visit = (epoch: number, index: number) => samples.take(epoch, index, () => sample(`${draws++}`, 3)).id;
    expect([visit(0, 1), visit(0, 2), visit(1, 1), visit(0, 1), visit(0, 1)]).toEqual(['0', '1', '2', '0', '3']);
  });

  it('lets the oldest go when the tokens exceed its limit', () => {
    const samples = new DrawnSamples(10);
    const drawn: number[] = [];
    const visit = (index: number) =>
      samples.take(0, index, () => {
        drawn.push(index);
        return sample('', 4);
      });
    for (const index of [0, 1, 2, 1, 2, 0]) visit(index);
    expect(drawn).toEqual([0, 1, 2, 0]);
  });
});
