import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fillPieces } from '../../src/backend/upload-pieces.js';

const tick = () => new Promise((resolve) => setImmediate(resolve));

describe('filling in pieces', () => {
  it('covers every byte once, with at most so many at once and one to a lane', async () => {
    const sizes = fc.record({
      bytes: fc.nat(50),
      pieceBytes: fc.integer({ min: 1, max: 9 }),
      atOnce: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(sizes, async (pieces) => {
        const times = new Uint8Array(pieces.bytes);
        const busy = new Set<number>();
        await fillPieces(pieces, async (offset, size, lane) => {
          expect(busy.has(lane)).toBe(false);
          expect(lane).toBeLessThan(pieces.atOnce);
          busy.add(lane);
          await tick();
          for (let i = offset; i < offset + size; i++) times[i] = (times[i] ?? 0) + 1;
          busy.delete(lane);
        });
        expect(times.every((count) => count === 1)).toBe(true);
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it('rejects with the first error when none is under way, and starts no more', async () => {
    const started: number[] = [];
    let ended = 0;
    const filling = fillPieces({ bytes: 100, pieceBytes: 1, atOnce: 3 }, async (offset) => {
      started.push(offset);
      if (offset === 4) throw new Error('four');
      for (let i = 0; i < 5; i++) await tick();
      ended++;
      if (offset === 5) throw new Error('five');
    });
    await expect(filling).rejects.toThrow('four');
    expect(started.length).toBeLessThanOrEqual(7);
    expect(ended).toBe(started.length - 1);
  });
});
