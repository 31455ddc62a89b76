import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../../../../src/base/errors.js';
import {
  PickleDict,
  PickleList,
  PickleTuple,
  type PickleValue,
} from '../../../../src/model/weights/torch/pickle-values.js';
import { TORCH_RULES } from '../../../../src/model/weights/torch/torch-rules.js';
import { unpickle } from '../../../../src/model/weights/torch/unpickler.js';
import { pickleBytes, tensor, unicode } from './torch-bytes.js';

const read = (bytes: Buffer): PickleValue => unpickle('file.bin', Uint8Array.from(bytes), TORCH_RULES);

function refusal(bytes: Buffer): string {
  try {
    read(bytes);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

/** Plain JavaScript of plain pickles, to compare. */
function plain(value: PickleValue): unknown {
  if (value instanceof PickleList || value instanceof PickleTuple) return value.items.map(plain);
  if (value instanceof PickleDict) return [...value.entries].map(([key, item]) => [plain(key), plain(item)]);
  return value;
}

/** From Python: pickle.dumps({'a': [1, -2, 300, 70000, 2**40, -2**40, 2**63-1, 1.5, None, True, False], ('é', 1): {}, 3: (1, 2, 3, 4)}, protocol). */
const PYTHON: [number, string][] = [
  [
    2,
    'gAJ9cQAoWAEAAABhcQFdcQIoSwFK/v///00sAUpwEQEAigYAAAAAAAGKBgAAAAAA/4oI/////////39HP/gAAAAAAABOiIllWAIAAADDqXEDSwGGcQR9cQVLAyhLAUsCSwNLBHRxBnUu',
  ],
  [
    4,
    'gASVWgAAAAAAAAB9lCiMAWGUXZQoSwFK/v///00sAUpwEQEAigYAAAAAAAGKBgAAAAAA/4oI/////////39HP/gAAAAAAABOiIlljALDqZRLAYaUfZRLAyhLAUsCSwNLBHSUdS4=',
  ],
];

describe('reading a pickle', () => {
  it.each(PYTHON)('gives what Python wrote with protocol %i', (_protocol, base64) => {
    expect(plain(read(Buffer.from(base64, 'base64')))).toEqual([
      ['a', [1, -2, 300, 70000, 2 ** 40, -(2 ** 40), 2n ** 63n - 1n, 1.5, null, true, false]],
      [['é', 1], []],
      [3, [1, 2, 3, 4]],
    ]);
  });

  it('recalls remembered values as the same object', () => {
    const value = read(pickleBytes(']q', 7, 'h', 7, 'h', 7, 0x87, '.'));
    if (!(value instanceof PickleTuple)) throw new TypeError('not a tuple');
    expect(value.items[0]).toBe(value.items[1]);
  });

  it('survives a list that holds itself', () => {
    const list = read(pickleBytes(']q', 0, 'h', 0, 'a.'));
    expect(list instanceof PickleList && list.items[0] === list).toBe(true);
  });

  it('passes over the attributes of an OrderedDict', () => {
    const ordered = 'ccollections\nOrderedDict\n)R';
    expect(plain(read(pickleBytes(ordered, '}', unicode('_metadata'), 'Nsb.')))).toEqual([]);
  });

  it.each([
    ['os.system', pickleBytes('cos\nsystem\n', '(', unicode('true'), 'tR.'), 'E_PICKLE_GLOBAL', '"os.system"'],
    ['builtins.eval', pickleBytes('cbuiltins\neval\n.'), 'E_PICKLE_GLOBAL', '"builtins.eval"'],
    [
      'a global from the stack',
      pickleBytes(unicode('os'), unicode('system'), 0x93, '.'),
      'E_PICKLE_GLOBAL',
      'os.system',
    ],
    [
      'an attribute of what is allowed',
      pickleBytes('ctorch._utils\n_rebuild_tensor_v2.__globals__\n.'),
      'E_PICKLE_GLOBAL',
      '__globals__',
    ],
    [
      'an allowed module by another spelling',
      pickleBytes('ccollections.OrderedDict\n\n.'),
      'E_PICKLE_GLOBAL',
      'OrderedDict.',
    ],
    ['a name split elsewhere', pickleBytes('ctorch\n_utils._rebuild_tensor_v2\n.'), 'E_PICKLE_GLOBAL', '_rebuild'],
    [
      'a call of a storage class',
      pickleBytes('ctorch\nFloatStorage\n)R.'),
      'E_PICKLE_DAMAGED',
      'it calls torch.FloatStorage',
    ],
    ['a call of a tensor', pickleBytes(tensor(), ')R.'), 'E_PICKLE_DAMAGED', 'it calls a tensor'],
    [
      'a call without arguments',
      pickleBytes('ccollections\nOrderedDict\nNR.'),
      'E_PICKLE_DAMAGED',
      'it calls a collections.OrderedDict',
    ],
    [
      'arguments to OrderedDict',
      pickleBytes('ccollections\nOrderedDict\nN', 0x85, 'R.'),
      'E_PICKLE_DAMAGED',
      '1 arguments',
    ],
    [
      'a tensor without a storage',
      pickleBytes('ctorch._utils\n_rebuild_tensor_v2\n)R.'),
      'E_PICKLE_DAMAGED',
      'no storage',
    ],
    [
      'a parameter without a tensor',
      pickleBytes('ctorch._utils\n_rebuild_parameter\n)R.'),
      'E_PICKLE_DAMAGED',
      'no tensor',
    ],
    ['a size without a tuple', pickleBytes('ctorch\nSize\n)R.'), 'E_PICKLE_DAMAGED', 'no tuple'],
    [
      'a persistent id that is no storage',
      pickleBytes(unicode('0'), 'Q.'),
      'E_PICKLE_DAMAGED',
      'no storage but a string',
    ],
    ['attributes of a tensor', pickleBytes(tensor(), '}b.'), 'E_PICKLE_DAMAGED', 'attributes of a tensor'],
    ['NEWOBJ', pickleBytes('ccollections\nOrderedDict\n)', 0x81, '.'), 'E_PICKLE_OPCODE', 'NEWOBJ at byte'],
    ['INST', pickleBytes('(ios\nsystem\n.'), 'E_PICKLE_OPCODE', 'INST'],
    ['OBJ', pickleBytes('(ccollections\nOrderedDict\no.'), 'E_PICKLE_OPCODE', 'OBJ'],
    ['PERSID', pickleBytes('P0\n.'), 'E_PICKLE_OPCODE', 'PERSID'],
    ['EXT1', pickleBytes(0x82, 1, '.'), 'E_PICKLE_OPCODE', 'EXT1'],
    ['an opcode that there is not', pickleBytes(0xff, '.'), 'E_PICKLE_OPCODE', '0xff at byte 2'],
    ['protocol 6', Buffer.from('8006', 'hex'), 'E_PICKLE_DAMAGED', 'protocol 6'],
    ['no bytes', Buffer.alloc(0), 'E_PICKLE_DAMAGED', 'cut off at byte 0'],
    ['no end', pickleBytes('}'), 'E_PICKLE_DAMAGED', 'cut off at byte 3'],
    ['bytes after its end', pickleBytes('}.N'), 'E_PICKLE_DAMAGED', 'bytes follow'],
    ['a value left over', pickleBytes('NN.'), 'E_PICKLE_DAMAGED', 'left on the stack'],
    ['an open group', pickleBytes('(N.'), 'E_PICKLE_DAMAGED', 'left on the stack'],
    ['an empty stack', pickleBytes('.'), 'E_PICKLE_DAMAGED', 'from an empty stack'],
    ['a value taken from below a mark', pickleBytes('N(', 0x85, '.'), 'E_PICKLE_DAMAGED', 'from an empty stack'],
    ['a group that was not opened', pickleBytes('}u.'), 'E_PICKLE_DAMAGED', 'not opened'],
    ['a value not remembered', pickleBytes('h', 3, '.'), 'E_PICKLE_DAMAGED', 'recalls value 3'],
    ['a text longer than the file', pickleBytes('X\xff\xff\xff\x7f', '.'), 'E_PICKLE_DAMAGED', 'cut off'],
    ['text that is not UTF-8', pickleBytes('X\x01\0\0\0\xff.'), 'E_PICKLE_DAMAGED', 'not UTF-8'],
    ['a global without its line end', pickleBytes('ccollections'), 'E_PICKLE_DAMAGED', 'cut off'],
    ['an integer of 9 bytes', pickleBytes(0x8a, 9, '123456789', '.'), 'E_PICKLE_LIMIT', '9 bytes'],
    ['a key twice', pickleBytes('}(', unicode('a'), 'N', unicode('a'), 'Nu.'), 'E_PICKLE_DAMAGED', '"a" appears twice'],
    ['a key without a value', pickleBytes('}(', unicode('a'), 'u.'), 'E_PICKLE_DAMAGED', 'key without a value'],
    ['a list as key', pickleBytes('}(]Nu.'), 'E_PICKLE_DAMAGED', 'a list is a key'],
    ['items of a list', pickleBytes('](NNu.'), 'E_PICKLE_DAMAGED', 'items of a list'],
    ['an append to a dict', pickleBytes('}Na.'), 'E_PICKLE_DAMAGED', 'appends to a dict'],
  ])('refuses %s', (_name, bytes, code, message) => {
    const got = refusal(bytes);
    expect(got).toContain(`${code}: file.bin`);
    expect(got).toContain(message);
  });

  it.each([
    ['objects', Buffer.concat([Buffer.from('80025d28', 'hex'), Buffer.alloc(1_000_001, '}'), Buffer.from('e.')])],
    [
      'values on the stack',
      Buffer.concat([Buffer.from('8002', 'hex'), Buffer.alloc(2_000_004, 'K\0'), Buffer.from('.')]),
    ],
    [
      'values to remember',
      Buffer.concat([Buffer.from('80024b01', 'hex'), Buffer.alloc(1_000_001, 0x94), Buffer.from('.')]),
    ],
  ])('bounds the number of %s', (what, bytes) => {
    expect(refusal(bytes)).toMatch(new RegExp(`E_PICKLE_LIMIT: file.bin: its pickle has more than 1000000 ${what}`));
  });

  it('nests tuples deeper than any stack of calls', () => {
    const depth = 200_000;
    expect(
      read(Buffer.concat([Buffer.from('8002', 'hex'), Buffer.from(')'), Buffer.alloc(depth, 0x85), Buffer.from('.')])),
    ).toBeInstanceOf(PickleTuple);
  });
});
