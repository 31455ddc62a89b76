import fc from 'fast-check';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { webRecord } from '../../bench/web-records.js';
import { isRecord } from '../../src/base/config-layer.js';
import { plainRecord } from '../../src/data/plain-record.js';
import { VideoRecord } from '../../src/data/record.js';
import { unknownKeys } from '../../src/data/unknown-keys.js';

const jsonSchema = z.toJSONSchema(VideoRecord, { io: 'input' });

/** A value for any key: right for some, wrong for others. */
const anyValue = fc.oneof(
  fc.constantFrom<unknown>('', 'x', 0, 1, -1, 1.5, 1e300, 2 ** 53, true, null, [], {}, ['a'], [1], [null], { a: 'b' }),
  fc.constantFrom<unknown>({ like: 3 }, { like: -1 }, { lik: 1 }, { comment: 1.5 }, { a: 1 }, [
    { text: 'a', likes: 0 },
  ]),
  fc.constantFrom<unknown>(
    [{ text: '', likes: 0 }],
    [{ text: 'a' }],
    [{ text: 'a', likes: 1, by: 'me' }],
    [{ likes: 1 }],
  ),
  fc.constant<unknown>(JSON.parse('{"__proto__": "x"}')),
  fc.constant<unknown>(JSON.parse('1e999')),
);
const anyKey = fc.constantFrom(
  ...Object.keys(webRecord(1, 0)),
  ...Object.keys(jsonSchema.properties ?? {}),
  'titel',
  '__proto__',
  'constructor',
  'toString',
);

it('takes plain records for what the schema makes of them', () => {
  for (let i = 0; i < 100; i++) {
    const record = webRecord(2, i);
    expect(plainRecord({ ...record })).toEqual(VideoRecord.parse(record));
  }
  const bare = { id: 'a', video_path: 'a.mp4', facts: { motion: 'left' } };
  expect(plainRecord(bare)).toEqual(VideoRecord.parse(bare));
});

it('leaves to the schema whatever has an error, an unknown key or another shape', () => {
  let taken = 0;
  fc.assert(
    fc.property(fc.nat(50), fc.array(fc.tuple(anyKey, anyValue), { minLength: 1, maxLength: 2 }), (index, changes) => {
      const text = JSON.stringify(webRecord(2, index));
      const value: unknown = JSON.parse(text);
      if (!isRecord(value)) throw new Error('no object');
      for (const [key, changed] of changes) {
        Object.defineProperty(value, key, { value: changed, enumerable: true, configurable: true, writable: true });
      }
      const plain = plainRecord(value);
      if (plain === undefined) return;
      taken++;
      expect(unknownKeys(value, jsonSchema)).toEqual([]);
      expect(VideoRecord.safeParse(value)).toEqual({ success: true, data: plain });
    }),
    { numRuns: 6000, seed: 1 },
  );
  expect(taken).toBeGreaterThan(30);
});
