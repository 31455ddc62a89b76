import { describe, expect, it } from 'vitest';
import { collate, type LossReduction, totalWeight } from '../../src/train/batch.js';

const sample = (id: string, ids: number[], answers: Record<number, number>) => ({
  id,
  tokens: {
    ids: Int32Array.from(ids),
    labels: Int32Array.from(ids, (token, i) => (i in answers ? token : -100)),
    numVisual: 0,
    answerTurn: Int32Array.from(ids, (_, i) => answers[i] ?? -1),
  },
  features: null,
});

describe('collate', () => {
  // Turn 0 answers with one token, turn 1 with two.
  const samples = [sample('a', [5, 6, 7, 8, 9], { 1: 0, 3: 1, 4: 1 }), sample('b', [3, 4], { 1: 0 })];

  it('pads on the right and points each label at the row before it', () => {
    const batch = collate(samples, 'token');
    expect(batch).toMatchObject({ batch: 2, length: 5, sampleIds: ['a', 'b'] });
    expect([...batch.ids]).toEqual([5, 6, 7, 8, 9, 3, 4, 0, 0, 0]);
    expect([...batch.rows]).toEqual([0, 2, 3, 5]);
    expect([...batch.labels]).toEqual([6, 8, 9, 4]);
  });

  it.each<[LossReduction, number[]]>([
    ['token', [1, 1, 1, 1]],
    ['answer', [1, 0.5, 0.5, 1]],
    ['square', [1, Math.SQRT1_2, Math.SQRT1_2, 1]],
  ])('weighs by %s', (reduction, weights) => {
    const batch = collate(samples, reduction);
    for (const [i, weight] of weights.entries()) expect(batch.weights[i]).toBeCloseTo(weight, 6);
    expect(totalWeight([batch, batch])).toBeCloseTo(2 * weights.reduce((a, b) => a + b), 5);
  });
});
