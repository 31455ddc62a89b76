import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../../../src/base/errors.js';
import { openSafetensors } from '../../../src/model/weights/safetensors.js';
import { temporaryFolder } from '../../train/temporary-folder.js';
import { fileBytes, writeBytes } from './safetensors-bytes.js';

const folder = temporaryFolder();

async function refusal(bytes: Uint8Array): Promise<string> {
  try {
    const file = await openSafetensors(writeBytes(folder, bytes));
    await file.close();
    return 'accepted';
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

const tensor = (fields: string) => fileBytes(`{"a":{${fields}}}`, 8);
const two = (first: string, second: string, dataBytes: number) => {
  const entry = (name: string, offsets: string) => `"${name}":{"dtype":"F32","shape":[1],"data_offsets":[${offsets}]}`;
  return fileBytes(`{${entry('a', first)},${entry('b', second)}}`, dataBytes);
};
const F32_2 = '"dtype":"F32","shape":[2],"data_offsets":[0,8]';

/** name of the fault, the file, code and a piece of the message it must give. */
const REFUSED: [string, Uint8Array, string, string][] = [
  ['no bytes', Buffer.alloc(0), 'E_SAFETENSORS_TRUNCATED', 'has 0 bytes'],
  ['only 7 bytes', Buffer.alloc(7), 'E_SAFETENSORS_TRUNCATED', 'has 7 bytes'],
  ['a zero header length', fileBytes('{}', 0, 0n), 'E_SAFETENSORS_HEADER_LENGTH', 'claims 0 bytes'],
  ['a header length of 100,000,001', fileBytes('{}', 0, 100_000_001n), 'E_SAFETENSORS_HEADER_LENGTH', '100000001'],
  [
    'a header length of 2^64 - 1',
    fileBytes('{}', 0, 2n ** 64n - 1n),
    'E_SAFETENSORS_HEADER_LENGTH',
    '18446744073709551615',
  ],
  [
    'a header longer than the file',
    fileBytes('{}', 0, 3n),
    'E_SAFETENSORS_TRUNCATED',
    'has 10 bytes, its header needs 11',
  ],
  [
    'a header that is not UTF-8',
    fileBytes(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 0),
    'E_SAFETENSORS_HEADER',
    'UTF-8',
  ],
  ['a byte order mark', fileBytes('\ufeff{}', 0), 'E_SAFETENSORS_HEADER', 'expected "{"'],
  ['text that is not JSON', fileBytes('hello', 0), 'E_SAFETENSORS_HEADER', 'got "hello" at character 0'],
  ['an array as header', fileBytes('[]', 0), 'E_SAFETENSORS_HEADER', 'expected "{"'],
  ['an unclosed object', fileBytes('{"a"', 0), 'E_SAFETENSORS_HEADER', 'expected ":"'],
  ['text after the object', fileBytes('{} {}', 0), 'E_SAFETENSORS_HEADER', 'expected its end'],
  ['a zero byte as padding', fileBytes('{}\0', 0), 'E_SAFETENSORS_HEADER', 'expected its end'],
  ['a trailing comma', fileBytes(`{"a":{${F32_2}},}`, 8), 'E_SAFETENSORS_HEADER', 'expected """'],
  ['an unclosed string', fileBytes('{"a', 0), 'E_SAFETENSORS_HEADER', 'the end of a string'],
  ['a raw line break in a name', fileBytes('{"a\n":1}', 0), 'E_SAFETENSORS_HEADER', 'the end of a string'],
  ['an invalid escape', fileBytes('{"\\x":1}', 0), 'E_SAFETENSORS_HEADER', 'invalid escape'],
  ['an escape cut by the end', fileBytes('{"a\\', 0), 'E_SAFETENSORS_HEADER', 'the end of a string'],
  ['half of a surrogate pair', fileBytes('{"\\ud800":1}', 0), 'E_SAFETENSORS_HEADER', 'surrogate'],
  [
    'a duplicate tensor',
    fileBytes(`{"a":{${F32_2}},"a":{${F32_2}}}`, 8),
    'E_SAFETENSORS_DUPLICATE_KEY',
    '"a" appears twice',
  ],
  [
    'a duplicate tensor in another spelling',
    fileBytes(`{"a":{${F32_2}},"\\u0061":{${F32_2}}}`, 8),
    'E_SAFETENSORS_DUPLICATE_KEY',
    '"a"',
  ],
  [
    'a duplicate field',
    tensor(`${F32_2},"dtype":"I32"`),
    'E_SAFETENSORS_DUPLICATE_KEY',
    '"dtype" appears twice in tensor "a"',
  ],
  [
    'a duplicate metadata key',
    fileBytes('{"__metadata__":{"k":"1","k":"2"}}', 0),
    'E_SAFETENSORS_DUPLICATE_KEY',
    '"k"',
  ],
  [
    'two metadata objects',
    fileBytes('{"__metadata__":{},"__metadata__":{}}', 0),
    'E_SAFETENSORS_DUPLICATE_KEY',
    '__metadata__',
  ],
  ['metadata that is no object', fileBytes('{"__metadata__":"x"}', 0), 'E_SAFETENSORS_HEADER', 'expected "{"'],
  ['a number in the metadata', fileBytes('{"__metadata__":{"k":1}}', 0), 'E_SAFETENSORS_HEADER', '__metadata__ "k"'],
  [
    'a nested object in the metadata',
    fileBytes('{"__metadata__":{"k":{}}}', 0),
    'E_SAFETENSORS_HEADER',
    '__metadata__ "k"',
  ],
  ['a tensor that is a string', fileBytes('{"a":"F32"}', 0), 'E_SAFETENSORS_HEADER', 'tensor "a"'],
  [
    'no dtype',
    tensor('"shape":[2],"data_offsets":[0,8]'),
    'E_SAFETENSORS_HEADER',
    'needs dtype, shape and data_offsets',
  ],
  ['no shape', tensor('"dtype":"F32","data_offsets":[0,8]'), 'E_SAFETENSORS_HEADER', 'needs dtype, shape'],
  ['no offsets', tensor('"dtype":"F32","shape":[2]'), 'E_SAFETENSORS_HEADER', 'needs dtype, shape'],
  ['one offset', tensor('"dtype":"F32","shape":[2],"data_offsets":[8]'), 'E_SAFETENSORS_HEADER', 'two numbers'],
  ['three offsets', tensor('"dtype":"F32","shape":[2],"data_offsets":[0,8,8]'), 'E_SAFETENSORS_HEADER', 'at most 2'],
  ['an unknown field', tensor(`${F32_2},"x":1`), 'E_SAFETENSORS_HEADER', 'unknown key "x"'],
  [
    'an unknown dtype',
    tensor('"dtype":"F31","shape":[2],"data_offsets":[0,8]'),
    'E_SAFETENSORS_DTYPE',
    'dtype "F31", expected one of BOOL',
  ],
  [
    'a dtype that every object has',
    tensor('"dtype":"toString","shape":[2],"data_offsets":[0,8]'),
    'E_SAFETENSORS_DTYPE',
    'toString',
  ],
  [
    'a negative dimension',
    tensor('"dtype":"F32","shape":[-2],"data_offsets":[0,8]'),
    'E_SAFETENSORS_HEADER',
    'not negative',
  ],
  [
    'a fraction as dimension',
    tensor('"dtype":"F32","shape":[2.0],"data_offsets":[0,8]'),
    'E_SAFETENSORS_HEADER',
    'got ".0]',
  ],
  [
    'an exponent as dimension',
    tensor('"dtype":"F32","shape":[2e0],"data_offsets":[0,8]'),
    'E_SAFETENSORS_HEADER',
    'got "e0]',
  ],
  ['a leading zero', tensor('"dtype":"F32","shape":[02],"data_offsets":[0,8]'), 'E_SAFETENSORS_HEADER', 'got "2]'],
  ['NaN as dimension', tensor('"dtype":"F32","shape":[NaN],"data_offsets":[0,8]'), 'E_SAFETENSORS_HEADER', 'got "NaN]'],
  [
    'null as dimension',
    tensor('"dtype":"F32","shape":[null],"data_offsets":[0,8]'),
    'E_SAFETENSORS_HEADER',
    'got "null]',
  ],
  [
    '21 digits',
    tensor(`"dtype":"F32","shape":[${'1'.repeat(21)}],"data_offsets":[0,8]`),
    'E_SAFETENSORS_HEADER',
    'at most 20 digits',
  ],
  [
    '65 dimensions',
    tensor(`"dtype":"F32","shape":[${Array(65).fill(1)}],"data_offsets":[0,4]`),
    'E_SAFETENSORS_HEADER',
    'at most 64',
  ],
  ['a nested shape', tensor('"dtype":"F32","shape":[[2]],"data_offsets":[0,8]'), 'E_SAFETENSORS_HEADER', 'got "[2]]'],
  [
    'a dimension above 2^53',
    tensor('"dtype":"F32","shape":[9007199254740993,0],"data_offsets":[0,0]'),
    'E_SAFETENSORS_SHAPE',
    '2^53',
  ],
  [
    'a product that wraps at 2^64',
    tensor('"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]'),
    'E_SAFETENSORS_SHAPE',
    '2^53',
  ],
  [
    'offsets above 2^53',
    tensor('"dtype":"F32","shape":[2],"data_offsets":[9007199254740993,9007199254741001]'),
    'E_SAFETENSORS_OFFSETS',
    'starts at 9007199254740993',
  ],
  [
    'offsets in reverse',
    tensor('"dtype":"F32","shape":[2],"data_offsets":[8,0]'),
    'E_SAFETENSORS_SHAPE',
    '[8, 0], but F32 [2] takes 8 bytes',
  ],
  [
    'a size that is not the shape',
    tensor('"dtype":"F32","shape":[3],"data_offsets":[0,8]'),
    'E_SAFETENSORS_SHAPE',
    'takes 12 bytes',
  ],
  [
    'a first tensor that starts late',
    tensor('"dtype":"F32","shape":[1],"data_offsets":[4,8]'),
    'E_SAFETENSORS_OFFSETS',
    'leaves a hole of 4 bytes',
  ],
  ['a hole between tensors', two('0,4', '8,12', 12), 'E_SAFETENSORS_OFFSETS', 'tensor "b" starts at 8, expected 4'],
  ['tensors that overlap', two('0,4', '2,6', 6), 'E_SAFETENSORS_OFFSETS', 'overlaps the one before'],
  ['two tensors on the same bytes', two('0,4', '0,4', 4), 'E_SAFETENSORS_OFFSETS', 'overlaps'],
  ['bytes after the last tensor', fileBytes(`{"a":{${F32_2}}}`, 9), 'E_SAFETENSORS_TRAILING', '1 bytes follow'],
  ['bytes after an empty header', fileBytes('{}', 1), 'E_SAFETENSORS_TRAILING', '1 bytes follow'],
  ['a missing last byte', fileBytes(`{"a":{${F32_2}}}`, 7), 'E_SAFETENSORS_TRUNCATED', 'its header needs'],
];

const ACCEPTED: [string, Uint8Array][] = [
  ['no tensors', fileBytes('{}', 0)],
  ['spaces after the header', fileBytes('{}      ', 0)],
  [
    'spaces before and between, as the reference reader',
    fileBytes(' \t{\n"a" : {"dtype":"U8" , "shape":[ 1 ],"data_offsets":[0,1]}\r}', 1),
  ],
  ['a scalar', tensor('"dtype":"F64","shape":[],"data_offsets":[0,8]')],
  ['a tensor without elements', fileBytes('{"a":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]}}', 0)],
  [
    'an empty tensor between two others',
    fileBytes(
      '{"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"e":{"dtype":"F32","shape":[0],"data_offsets":[1,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      2,
    ),
  ],
];

describe('a safetensors header', () => {
  it.each(REFUSED)('is refused for %s', async (_name, bytes, code, message) => {
    const got = await refusal(bytes);
    expect(got).toContain(`${code}: ${folder}`);
    expect(got).toContain(message);
  });

  it.each(ACCEPTED)('is accepted with %s', async (_name, bytes) => {
    expect(await refusal(bytes)).toBe('accepted');
  });

  it('keeps names such as __proto__ apart from the object prototype', async () => {
    const empty = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}';
    const path = writeBytes(
      folder,
      fileBytes(`{"__metadata__":{"__proto__":"m"},"__proto__":${empty},"toString":${empty}}`, 0),
    );
    const file = await openSafetensors(path);
    await file.close();
    expect([...file.tensors.keys()]).toEqual(['__proto__', 'toString']);
    expect(file.metadata.get('__proto__')).toBe('m');
    expect(file.tensors.get('constructor')).toBeUndefined();
    expect({}).not.toHaveProperty('dtype');
  });
});
