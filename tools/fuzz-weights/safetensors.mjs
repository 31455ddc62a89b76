/** Target `safetensors`: mutated headers and lengths; an accepted file must satisfy a twin of the rules written another way. */
import { mutateBytes, NUMBERS } from './mutate.mjs';

const PALETTE = [...'{}[]",:0123456789eE.- \\\t\n\0\xff_uFBI'].map((symbol) => symbol.charCodeAt(0));
const NAMES = [
  'a',
  'layer.0.weight',
  '',
  '__proto__',
  'toString',
  'é',
  '"',
  '\\',
  '\u{1f600}',
  'x'.repeat(40),
  '__metadata',
];
const BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
};
const DTYPES = Object.keys(BYTES);

export async function safetensorsTarget(load) {
  const { CheckpointError } = await load('base/errors.js');
  const { headerLength, parseHeader } = await load('model/weights/safetensors-header.js');
  return {
    make: makeCase,
    run: async (bytes) => {
      if (bytes.length < 8) throw new CheckpointError('E_SAFETENSORS_TRUNCATED', 'fewer than 8 bytes');
      const length = headerLength('fuzz', bytes.subarray(0, 8), bytes.length);
      return parseHeader('fuzz', bytes.subarray(8, 8 + length), bytes.length);
    },
    check,
  };
}

/** A valid file, then broken in its fields (as text, so that no number is rounded) or in its bytes. */
function makeCase(rng) {
  const kind = rng.int(10);
  const tensors = makeTensors(rng);
  if (kind < 5) for (let edits = 1 + rng.int(3); edits > 0; edits--) breakFields(rng, tensors);
  const bytes = encode(rng, tensors);
  if (kind < 4 || kind === 9) return bytes;
  return mutateBytes(rng, bytes, PALETTE, 8 + Number(bytes.readBigUInt64LE()));
}

function makeTensors(rng) {
  let at = 0;
  return Array.from({ length: rng.int(5) }, () => {
    const dtype = rng.pick(DTYPES);
    const shape = Array.from({ length: rng.int(4) }, () => rng.int(4));
    const begin = at;
    at += shape.reduce((product, size) => product * size, BYTES[dtype]);
    const name = JSON.stringify(rng.int(2) ? rng.pick(NAMES) : `t${rng.int(1000)}`);
    const fields = [
      ['"dtype"', `"${dtype}"`],
      ['"shape"', shape.map(String)],
      ['"data_offsets"', [`${begin}`, `${at}`]],
    ];
    return { name, fields };
  });
}

function breakFields(rng, tensors) {
  const tensor = tensors.length > 0 ? rng.pick(tensors) : undefined;
  if (tensor === undefined) return;
  const field = rng.pick(tensor.fields);
  if (!field) return;
  const kind = rng.int(13);
  if (kind > 9) moveOffsets(rng, tensors, tensor);
  else if (kind < 4 && Array.isArray(field[1]) && field[1].length > 0)
    field[1][rng.int(field[1].length)] = rng.pick(NUMBERS);
  else if (kind === 4) field[1] = rng.pick([...NUMBERS, '"F32"', '"F8_E4M3"', '"f32"', '["1"]', [], ['0', '0']]);
  else if (kind === 5) field[0] = rng.pick(['"dtype"', '"shape"', '"data_offsets"', '"x"', '"\\u0064type"']);
  else if (kind === 6) tensor.fields.splice(rng.int(tensor.fields.length), 1);
  else if (kind === 7) tensor.fields.push(rng.pick(tensor.fields));
  else if (kind === 8) tensors.push({ name: tensor.name, fields: tensor.fields.map(([key, value]) => [key, value]) });
  else tensor.name = rng.pick(tensors).name;
}

/** Holes, overlaps and shared ranges: sizes stay right. */
function moveOffsets(rng, tensors, tensor) {
  const offsetsOf = ({ fields }) => fields.find(([key, value]) => key === '"data_offsets"' && value.length === 2)?.[1];
  const [offsets, other] = [offsetsOf(tensor), offsetsOf(rng.pick(tensors))];
  if (
    !Array.isArray(offsets) ||
    !Array.isArray(other) ||
    [...offsets, ...other].some((text) => !/^\d{1,9}$/.test(text))
  )
    return;
  const size = Number(offsets[1]) - Number(offsets[0]);
  const begin = rng.int(3) === 0 ? Number(other[0]) : Math.max(0, Number(offsets[0]) + rng.int(9) - 4);
  offsets[0] = `${begin}`;
  offsets[1] = `${begin + size}`;
}

function encode(rng, tensors) {
  const space = () => (rng.int(12) === 0 ? rng.pick([' ', '\n', '\t ', '\r\n']) : '');
  const text = (value) => (Array.isArray(value) ? `[${value.join(`,${space()}`)}]` : value);
  const members = tensors.map(({ name, fields }) => {
    const order = rng.int(2) ? fields : [...fields].reverse();
    return `${name}:${space()}{${order.map(([key, value]) => `${key}:${text(value)}`).join(`${space()},`)}}`;
  });
  if (rng.int(3) === 0) members.splice(rng.int(members.length + 1), 0, '"__metadata__":{"format":"pt"}');
  if (rng.int(4) === 0) members.reverse();
  const header = Buffer.from(`${space()}{${members.join(`${space()},`)}${space()}}${' '.repeat(rng.int(4))}`);
  const ends = tensors.map(({ fields }) => Number(fields.find(([key]) => key === '"data_offsets"')?.[1]?.[1]) || 0);
  const data = Buffer.alloc(Math.min(4096, Math.max(0, ...ends)) + (rng.int(20) === 0 ? 1 : 0));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([prefix, header, data]);
}

/** The rules once more, by JSON.parse: it rounds and merges keys, so numbers and duplicates are looked for in the text. */
function check(header, bytes) {
  const length = Number(bytes.readBigUInt64LE());
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, 8 + length));
  const parsed = Object.entries(JSON.parse(text, (key, value) => (key === '__proto__' ? { hidden: value } : value)));
  const tensors = parsed.filter(([name]) => name !== '__metadata__');
  const keys = (text.match(/"(?:[^"\\]|\\.)*"\s*:/g) ?? []).length;
  const metadata = parsed.find(([name]) => name === '__metadata__')?.[1];
  const expectedKeys = parsed.length + 3 * tensors.length + (metadata === undefined ? 0 : Object.keys(metadata).length);
  if (keys !== expectedKeys) return `${keys} keys in the text, ${expectedKeys} after JSON.parse: a duplicate passed`;
  if (header.tensors.size !== tensors.length) return `${header.tensors.size} tensors, expected ${tensors.length}`;
  const ranges = [];
  for (const [name, wrapped] of tensors) {
    const entry = name === '__proto__' ? (wrapped.hidden ?? wrapped) : wrapped;
    const found = header.tensors.get(name);
    if (found === undefined || found.dtype !== entry.dtype || found.shape.join() !== entry.shape.join())
      return `${name} differs`;
    const size = entry.shape.reduce((product, n) => product * BigInt(n), BigInt(BYTES[entry.dtype]));
    if (BigInt(found.byteLength) !== size) return `${name} has ${found.byteLength} bytes, expected ${size}`;
    if (found.byteOffset !== 8 + length + entry.data_offsets[0]) return `${name} is at ${found.byteOffset}`;
    ranges.push(entry.data_offsets);
  }
  ranges.sort(([a, b], [c, d]) => a - c || b - d);
  const end = ranges.reduce((at, [begin, next]) => (begin === at ? next : Number.NaN), 0);
  return end === bytes.length - 8 - length ? undefined : `tensors end at ${end} of ${bytes.length - 8 - length}`;
}
