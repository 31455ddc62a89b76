import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CachingPool } from '../../src/backend/caching-pool.js';

/** A system with `capacity` bytes. */
function fakeSystem(capacity: number) {
  const held = new Map<number, number>();
  let next = 64;
  let used = 0;
  const pool = new CachingPool(
    (bytes) => {
      if (used + bytes > capacity) return 0;
      const address = next;
      next += bytes;
      used += bytes;
      held.set(address, bytes);
      return address;
    },
    (address, bytes) => {
      expect(held.get(address)).toBe(bytes);
      held.delete(address);
      used -= bytes;
    },
  );
  return { pool, held, usedBytes: () => used };
}

const MIB = 2 ** 20;

describe('CachingPool', () => {
  it('gives a freed block to the next request of its size class', () => {
    const { pool, held } = fakeSystem(10 * MIB);
    const first = pool.alloc(1000);
    pool.release(first, 1000);
    expect(pool.alloc(990)).toBe(first);
    expect(held.size).toBe(1);
  });

  it('gives address 0 for no bytes', () => {
    const { pool } = fakeSystem(MIB);
    expect(pool.alloc(0)).toBe(0);
    pool.release(0, 0);
    expect(pool.liveBytes).toBe(0);
  });

  it('returns its cache to the system before it reports that there is no memory', () => {
    const { pool } = fakeSystem(MIB);
    pool.release(pool.alloc(700_000), 700_000);
    const other = pool.alloc(900_000);
    expect(other).toBeGreaterThan(0);
    expect(() => pool.alloc(900_000)).toThrow(/^device memory: could not get 900000 bytes, \d+ bytes are in use$/);
  });

  it('does not hoard: blocks of many sizes, each used once, end up with the system', () => {
    const { pool, usedBytes } = fakeSystem(2 ** 40);
    for (let size = 64 * MIB; size < 128 * MIB; size += 8 * MIB) pool.release(pool.alloc(size), size);
    expect(usedBytes()).toBeLessThan(64 * MIB + 256 * MIB + 128 * MIB);
  });

  it('never hands out one block twice, wastes at most an eighth and counts every byte, whatever the order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 100_000 })), { maxLength: 60 }),
        (steps) => {
          const { pool, held } = fakeSystem(2 ** 40);
          const live: { address: number; bytes: number }[] = [];
          for (const [take, bytes] of steps) {
            const last = take ? undefined : live.pop();
            if (last !== undefined) pool.release(last.address, last.bytes);
            else live.push({ address: pool.alloc(bytes), bytes });
          }
          expect(new Set(live.map(({ address }) => address)).size).toBe(live.length);
          for (const { address, bytes } of live) {
            expect(held.get(address)).toBeGreaterThanOrEqual(bytes);
            expect(held.get(address)).toBeLessThanOrEqual(Math.max(bytes + 63, bytes * 1.125 + 64));
          }
          expect(pool.liveBytes).toBe(live.reduce((sum, { address }) => sum + (held.get(address) ?? 0), 0));
          expect(pool.liveBytes + pool.cachedBytes).toBe([...held.values()].reduce((sum, bytes) => sum + bytes, 0));
          expect(pool.peakBytes).toBeGreaterThanOrEqual(pool.liveBytes);
        },
      ),
    );
  });
});
