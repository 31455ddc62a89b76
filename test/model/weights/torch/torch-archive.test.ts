import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../../../../src/base/errors.js';
import { openWeights } from '../../../../src/model/weights/open-weights.js';
import { readTorchArchive } from '../../../../src/model/weights/torch/torch-archive.js';
import { MemoryFile } from './memory-file.js';
import { archiveBytes, dictPickle, integer, pickleBytes, tensor, unicode, zipBytes } from './torch-bytes.js';

/** Written by PyTorch; see tools/torch-archives.py. */
const ARCHIVES = join(import.meta.dirname, 'archives');

interface Described {
  readonly dtype: string;
  readonly shape: number[];
  readonly bytes: string;
}
const expected = JSON.parse(readFileSync(join(ARCHIVES, 'expected.json'), 'utf8')) as Record<
  string,
  Record<string, Described>
>;

async function messageOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof CheckpointError ? `${error.code}: ${error.message}` : `other: ${error}`),
  );
}

describe('files that PyTorch wrote', () => {
  it.each(Object.entries(expected))('%s has every name, dtype, shape and bit', async (file, tensors) => {
    const source = await openWeights(join(ARCHIVES, file));
    try {
      expect([...source.tensors.keys()]).toEqual(Object.keys(tensors));
      for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
        const stored = source.tensors.get(name);
        expect(stored).toMatchObject({ name, dtype, shape, byteLength: bytes.length / 2 });
        const out = new Uint8Array(stored?.byteLength ?? 0);
        await source.readInto(name, out, 0);
        expect(Buffer.from(out).toString('hex')).toBe(bytes);
      }
      expect(source.notes).toEqual([]);
    } finally {
      await source.close();
    }
  });

  it.each([
    ['command.bin', 'E_PICKLE_GLOBAL', '"posix.system"'],
    ['namespace.bin', 'E_PICKLE_GLOBAL', '"argparse.Namespace"'],
    ['complex.bin', 'E_PICKLE_GLOBAL', '"torch.ComplexFloatStorage"'],
    ['legacy.bin', 'E_TORCH_LEGACY', 'before PyTorch 1.6'],
    ['numbers.bin', 'E_TORCH_NO_TENSORS', 'a dict with keys epoch'],
    ['transposed.bin', 'E_TORCH_TENSOR', '2 tensors cannot be read'],
  ])('%s is refused with %s', async (file, code, message) => {
    const got = await messageOf(openWeights(join(ARCHIVES, file)));
    expect(got).toContain(`${code}: ${join(ARCHIVES, file)}`);
    expect(got).toContain(message);
    expect(existsSync('/tmp/mimic-pickle-ran')).toBe(false);
  });

  it('name every tensor that is not contiguous', async () => {
    const got = await messageOf(openWeights(join(ARCHIVES, 'transposed.bin')));
    expect(got).toContain('transposed: [3,5] with strides [1,3]');
    expect(got).toContain('expanded: [2,3] with strides [0,1]');
    expect(got).not.toContain('good');
  });
});

const FLOATS = { '0': new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer) };
const read = (bytes: Uint8Array) => readTorchArchive(new MemoryFile(bytes));
const one = (parts: Parameters<typeof tensor>[0]) => archiveBytes(dictPickle({ x: tensor(parts) }), FLOATS);

describe('a torch archive', () => {
  it.each([{ zip64: true }, { zip64: false }, { long: true }])('is read with records %o', async (options) => {
    const { tensors } = await read(archiveBytes(dictPickle({ x: tensor() }), FLOATS, options));
    expect(tensors.get('x')).toMatchObject({ dtype: 'F32', shape: [2, 3], byteLength: 24 });
  });

  it('gives tensors that share a storage the same bytes', async () => {
    const pickle = dictPickle({ a: tensor(), b: tensor({ offset: 3, shape: [3], strides: [1] }) });
    const { tensors } = await read(archiveBytes(pickle, FLOATS));
    const [a, b] = [tensors.get('a'), tensors.get('b')];
    expect((b?.byteOffset ?? 0) - (a?.byteOffset ?? 0)).toBe(12);
    expect(b?.byteLength).toBe(12);
  });

  it.each(['model_state', 'state_dict', 'model_state_dict', 'model', 'module'])('is found under %s', async (key) => {
    const inner = Buffer.concat([Buffer.from('}('), unicode('x'), tensor(), Buffer.from('u')]);
    const { tensors } = await read(archiveBytes(dictPickle({ epoch: integer(3), [key]: inner }), FLOATS));
    expect([...tensors.keys()]).toEqual(['x']);
  });

  it('says which values beside the tensors it passed over', async () => {
    const { notes } = await read(
      archiveBytes(dictPickle({ x: tensor(), epoch: integer(3), y: Buffer.of(0x4e) }), FLOATS),
    );
    expect(notes).toEqual(['file.bin: 2 values beside the tensors were passed over: epoch (number), y (None).']);
  });

  it('keeps names such as __proto__', async () => {
    const { tensors } = await read(archiveBytes(dictPickle({ ['__proto__']: tensor(), toString: tensor() }), FLOATS));
    expect([...tensors.keys()]).toEqual(['__proto__', 'toString']);
  });

  it.each([
    ['a storage that is absent', one({ key: '1' }), 'E_TORCH_TENSOR', 'storage "1" is absent'],
    ['a storage outside the data folder', one({ key: '../data.pkl' }), 'E_TORCH_TENSOR', 'is absent'],
    ['a storage of another size', one({ elements: 7 }), 'E_TORCH_TENSOR', 'has 24 bytes, expected 7 elements of F32'],
    ['a storage of another type', one({ storage: 'HalfStorage' }), 'E_TORCH_TENSOR', 'expected 6 elements of F16'],
    ['a view beyond its storage', one({ offset: 1 }), 'E_PICKLE_DAMAGED', 'reaches to element 6 of a storage of 6'],
    [
      'an offset beyond its storage',
      one({ offset: 9, shape: [0], strides: [1] }),
      'E_PICKLE_DAMAGED',
      'a storage of 6',
    ],
    [
      'sizes whose product is no number',
      one({ shape: Array(64).fill(2 ** 31 - 1), strides: Array(64).fill(1) }),
      'E_PICKLE_DAMAGED',
      'reaches to',
    ],
    ['a negative size', one({ shape: [-1, 3] }), 'E_PICKLE_DAMAGED', 'no size and stride'],
    ['a negative offset', one({ offset: -1 }), 'E_PICKLE_DAMAGED', 'no offset'],
    ['a negative stride', one({ strides: [-3, 1] }), 'E_PICKLE_DAMAGED', 'no size and stride'],
    ['more sizes than strides', one({ strides: [1] }), 'E_PICKLE_DAMAGED', 'no size and stride'],
    ['65 dimensions', one({ shape: Array(65).fill(1), strides: Array(65).fill(1) }), 'E_PICKLE_DAMAGED', 'no size'],
    [
      'no pickle',
      zipBytes([{ name: 'a/data/0', bytes: new Uint8Array(4) }]),
      'E_TORCH_ARCHIVE',
      '0 entries named */data.pkl',
    ],
    [
      'two pickles',
      zipBytes(['a', 'b'].map((name) => ({ name: `${name}/data.pkl`, bytes: pickleBytes('}.') }))),
      'E_TORCH_ARCHIVE',
      '2 entries named */data.pkl',
    ],
    [
      'another byte order',
      zipBytes([
        { name: 'a/data.pkl', bytes: pickleBytes('}.') },
        { name: 'a/byteorder', bytes: Buffer.from('big') },
      ]),
      'E_TORCH_ARCHIVE',
      'byte order is "big"',
    ],
    ['no bytes', new Uint8Array(0), 'E_TORCH_ARCHIVE', 'does not start with a zip entry'],
    ['text', Buffer.from('version https://git-lfs.github.com/spec/v1\n'), 'E_TORCH_ARCHIVE', 'does not start'],
    [
      'a list of tensors',
      archiveBytes(pickleBytes('](', tensor(), 'e.'), FLOATS),
      'E_TORCH_NO_TENSORS',
      'holds a list',
    ],
    ['one tensor', archiveBytes(pickleBytes(tensor(), '.'), FLOATS), 'E_TORCH_NO_TENSORS', 'holds a tensor'],
  ])('is refused for %s', async (_name, bytes, code, message) => {
    const got = await messageOf(read(bytes));
    expect(got).toContain(`${code}: file.bin`);
    expect(got).toContain(message);
  });

  it('lists every tensor that cannot be read, with a bound', async () => {
    const names = Array.from({ length: 30 }, (_, i) => `w${i}`);
    const pickle = dictPickle(Object.fromEntries(names.map((name) => [name, tensor({ key: name })])));
    const got = await messageOf(read(archiveBytes(pickle, FLOATS)));
    expect(got).toContain('30 tensors cannot be read');
    expect(got).toContain('... and 10 more');
  });
});
