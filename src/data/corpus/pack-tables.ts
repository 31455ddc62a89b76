/** Tables of numbers as bytes: a JSON head that says what follows, then the numbers as they are in memory. */
import type { PoolTables } from '../tasks/tables/corpus-tables.js';
import type { CheckedRecords } from './open-corpus.js';

type TypeName = 'f64' | 'i32' | 'u32' | 'u16';
type Numbers = Float64Array | Int32Array | Uint32Array | Uint16Array;
/** Every table begins at a multiple, as its type asks. */
const ALIGNMENT = 8;

interface Head {
  readonly idsSha256: string;
  readonly warnings: readonly string[];
  readonly topics: readonly string[];
  readonly categories: readonly string[];
  readonly tables: readonly { readonly name: string; readonly type: TypeName; readonly length: number }[];
}

const aligned = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

function typeOf(numbers: Numbers): TypeName {
  if (numbers instanceof Float64Array) return 'f64';
  if (numbers instanceof Int32Array) return 'i32';
  return numbers instanceof Uint32Array ? 'u32' : 'u16';
}

function numbersOf(type: TypeName, buffer: ArrayBufferLike, at: number, length: number): Numbers {
  if (type === 'f64') return new Float64Array(buffer, at, length);
  if (type === 'i32') return new Int32Array(buffer, at, length);
  return type === 'u32' ? new Uint32Array(buffer, at, length) : new Uint16Array(buffer, at, length);
}

export function packTables({ lines, textLengths, idsSha256, warnings, tables }: CheckedRecords): Buffer {
  const { words, tags, tagTexts, tagsOfRecord, topics, categories } = tables;
  const pool = (name: string, { records, groups, words }: PoolTables): [string, Numbers][] => [
    [`${name}.records`, records],
    [`${name}.groups`, groups],
    [`${name}.starts`, words.starts],
    [`${name}.words`, words.values],
  ];
  const parts: [string, Numbers][] = [
    ['offsets', lines.offsets],
    ['bytes', lines.bytes],
    ['sums', lines.sums],
    ['textLengths', textLengths],
    ['words.units', words.units],
    ['words.starts', words.starts],
    ['words.slots', words.slots],
    ['tagOfWord', tables.tagOfWord],
    ['tags.units', tags.units],
    ['tags.starts', tags.starts],
    ['tags.slots', tags.slots],
    ['tagTexts.units', tagTexts.units],
    ['tagTexts.starts', tagTexts.starts],
    ['tagsOfRecord.starts', tagsOfRecord.starts],
    ['tagsOfRecord.values', tagsOfRecord.values],
    ['topics', topics.ofRecord],
    ['categories', categories.ofRecord],
    ...pool('titles', tables.titles),
    ...pool('descriptions', tables.descriptions),
    ...pool('topComments', tables.topComments),
  ];
  const head: Head = {
    idsSha256,
    warnings,
    topics: topics.names,
    categories: categories.names,
    tables: parts.map(([name, numbers]) => ({ name, type: typeOf(numbers), length: numbers.length })),
  };
  const json = Buffer.from(JSON.stringify(head));
  const start = Buffer.alloc(ALIGNMENT);
  start.writeUInt32LE(json.length);
  const chunks: Uint8Array[] = [start, json, Buffer.alloc(aligned(json.length) - json.length)];
  for (const [, { buffer, byteOffset, byteLength }] of parts) {
    chunks.push(new Uint8Array(buffer, byteOffset, byteLength), Buffer.alloc(aligned(byteLength) - byteLength));
  }
  return Buffer.concat(chunks);
}

/** @param packed what `packTables` made; the tables look into its memory */
export function unpackTables(packed: Buffer): CheckedRecords {
  const headBytes = packed.readUInt32LE();
  const head: Head = JSON.parse(packed.toString('utf8', ALIGNMENT, ALIGNMENT + headBytes));
  const memory = packed.byteOffset % ALIGNMENT === 0 ? packed : Buffer.from(new Uint8Array(packed));
  const found = new Map<string, Numbers>();
  let at = ALIGNMENT + aligned(headBytes);
  for (const { name, type, length } of head.tables) {
    const numbers = numbersOf(type, memory.buffer, memory.byteOffset + at, length);
    found.set(name, numbers);
    at += aligned(numbers.byteLength);
  }
  const take = <T extends Numbers>(name: string, type: new () => T): T => {
    const numbers = found.get(name);
    if (numbers instanceof type) return numbers;
    throw new RangeError(`the table ${name} is missing`);
  };
  const i32 = (name: string) => take(name, Int32Array);
  const texts = (name: string) => ({
    units: take(`${name}.units`, Uint16Array),
    starts: take(`${name}.starts`, Uint32Array),
  });
  const strings = (name: string) => ({ ...texts(name), slots: take(`${name}.slots`, Uint32Array) });
  const pool = (name: string): PoolTables => ({
    records: i32(`${name}.records`),
    groups: i32(`${name}.groups`),
    words: { starts: i32(`${name}.starts`), values: i32(`${name}.words`) },
  });
  return {
    lines: { offsets: take('offsets', Float64Array), bytes: i32('bytes'), sums: take('sums', Uint32Array) },
    textLengths: i32('textLengths'),
    idsSha256: head.idsSha256,
    warnings: head.warnings,
    tables: {
      words: strings('words'),
      tagOfWord: i32('tagOfWord'),
      tags: strings('tags'),
      tagTexts: texts('tagTexts'),
      tagsOfRecord: { starts: i32('tagsOfRecord.starts'), values: i32('tagsOfRecord.values') },
      topics: { names: head.topics, ofRecord: i32('topics') },
      categories: { names: head.categories, ofRecord: i32('categories') },
      titles: pool('titles'),
      descriptions: pool('descriptions'),
      topComments: pool('topComments'),
    },
  };
}
