import { expect, it } from 'vitest';
import { Rng } from '../../../../src/base/rng.js';
import { StringTable } from '../../../../src/data/tasks/tables/string-table.js';

/** Many share their beginning or their end, and some are empty or long. */
const strings = Array.from({ length: 5000 }, (_, i) => {
  const rng = new Rng(i, 'strings');
  return i === 17 ? '' : i === 18 ? 'x'.repeat(3000) : `${i % 7 === 0 ? 'é😂' : 'word'}${rng.int(3000)}`;
});

it('numbers distinct strings by first appearance, as a map does, and finds them again after a copy', () => {
  const table = new StringTable();
  const twin = new Map<string, number>();
  for (const text of strings) {
    const id = twin.get(text) ?? twin.size;
    twin.set(text, id);
    expect(table.intern(text)).toBe(id);
  }
  expect(table.size).toBe(twin.size);
  for (const copy of [table, new StringTable(table.data())]) {
    for (const [text, id] of twin) {
      expect(copy.find(text)).toBe(id);
      expect(copy.text(id)).toBe(text);
    }
    expect(copy.find('absent')).toBe(-1);
    expect(copy.intern('absent')).toBe(twin.size);
  }
});
