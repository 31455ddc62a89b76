import { expect, it } from 'vitest';
import { BoundedMap } from '../../../../src/data/tasks/tables/bounded-map.js';

it('makes a value once, and forgets those not asked for the longest when all weigh too much', () => {
  const made: string[] = [];
  const map = new BoundedMap<string, string>(10, ({ length }) => length);
  const take = (key: string) =>
    map.take(key, () => {
      made.push(key);
      return key;
    });
  for (const key of ['aaaa', 'bbbb', 'aaaa', 'cccc', 'aaaa', 'bbbb']) expect(take(key)).toBe(key);
  // cccc pushed out bbbb, since aaaa was asked for after it.
  expect(made).toEqual(['aaaa', 'bbbb', 'cccc', 'bbbb']);
});
