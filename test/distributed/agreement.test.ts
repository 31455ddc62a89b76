import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/base/errors.js';
import { Agreement, isCommon, together } from '../../src/distributed/agreement.js';
import type { Shared } from '../../src/distributed/communicator.js';
import { SingleProcess } from '../../src/distributed/single-process.js';

/** Rank 0 of two: the other's part of each allGather is `others`, in order. */
class Scripted extends SingleProcess {
  override readonly size: number = 2;

  constructor(private readonly others: (Float64Array | Buffer)[]) {
    super();
  }

  override allGather(part: Shared, whole: Shared): void {
    const other = this.others.shift();
    if ('address' in part || 'address' in whole || other === undefined) throw new Error('not in the script');
    whole.set(part);
    whole.set(other, part.length);
  }
}

const word = (values: readonly number[]) => Float64Array.of(...values, ...new Array(16 - values.length).fill(0));

describe('Agreement', () => {
  it('gives the payloads of all', () => {
    const agreement = new Agreement(new Scripted([word([0, 1, 7, 2, 0, 30, 40])]));
    expect(agreement.exchange({ phase: 'data', step: 7, payload: [1, 2] })).toEqual([
      [1, 2],
      [30, 40],
    ]);
  });

  it('sends a long payload after the word', () => {
    const long = Array.from({ length: 20 }, (_, i) => i);
    const agreement = new Agreement(new Scripted([word([0, 1, 7, 20, 0]), Float64Array.from(long, (i) => -i)]));
    expect(agreement.exchange({ phase: 'data', step: 7, payload: long })[1]?.[19]).toBe(-19);
    expect(new Agreement(new SingleProcess()).exchange({ phase: 'data', step: 7, payload: long })).toEqual([long]);
  });

  it.each([
    ['another step', [0, 1, 8, 2, 0]],
    ['another phase', [0, 3, 7, 2, 0]],
    ['another number of collectives', [5, 1, 7, 2, 0]],
    ['another number of values', [0, 1, 7, 3, 0]],
  ])('refuses a rank that is at %s', (_, other) => {
    const agreement = new Agreement(new Scripted([word(other)]));
    const exchange = () => together(() => agreement.exchange({ phase: 'data', step: 7, payload: [1, 2] }));
    expect(exchange).toThrow(expect.objectContaining({ code: 'E_RANKS_DISAGREE' }));
  });

  it("passes another rank's reason on", () => {
    const reason = Buffer.alloc(2048);
    reason.write('E_VIDEO_DECODE: clip-7');
    const agreement = new Agreement(new Scripted([word([0, 1, 7, 0, 1]), reason]));
    let caught: unknown;
    try {
      together(() => agreement.exchange({ phase: 'data', step: 7, payload: [1, 2] }));
    } catch (error) {
      caught = error;
    }
    expect(caught).toMatchObject({ code: 'E_RANK_FAILED', context: { ranks: [1] } });
    expect(String(caught)).toContain('rank 1: E_VIDEO_DECODE: clip-7');
    expect(isCommon(caught)).toBe(true);
  });

  it("throws this rank's own error where it is the one that failed", () => {
    const error = new DataError('E_VIDEO_DECODE', 'clip-7');
    const agreement = new Agreement(new Scripted([word([0, 1, 7, 2, 0]), Buffer.alloc(2048)]));
    expect(() => agreement.exchange({ phase: 'data', step: 7, error })).toThrow(error);
    expect(isCommon(new Error('elsewhere'))).toBe(false);
  });
});
