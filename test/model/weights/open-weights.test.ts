import { closeSync, copyFileSync, mkdirSync, openSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../../../src/base/errors.js';
import { openWeights } from '../../../src/model/weights/open-weights.js';
import { writeSafetensors } from '../../../src/model/weights/safetensors.js';
import { temporaryFolder } from '../../train/temporary-folder.js';
import { archiveBytes, dictPickle, tensor } from './torch/torch-bytes.js';

const root = temporaryFolder();
let counter = 0;

function newFolder(): string {
  const folder = join(root, String(counter++));
  mkdirSync(folder);
  return folder;
}

const write = (path: string, tensors: Readonly<Record<string, readonly number[]>>) =>
  writeSafetensors(
    path,
    Object.entries(tensors).map(([name, values]) => ({
      name,
      dtype: 'F32' as const,
      shape: [values.length],
      data: Float32Array.from(values),
    })),
  );

/** A torch archive with one tensor of 2 x 3 floats, 1 to 6. */
function writeTorch(path: string, name: string): void {
  const data = { '0': new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer) };
  writeFileSync(path, archiveBytes(dictPickle({ [name]: tensor() }), data));
}

async function valuesIn(path: string): Promise<Record<string, number[]>> {
  const source = await openWeights(path);
  try {
    const entries: [string, number[]][] = [];
    for (const { name, byteLength } of source.tensors.values()) {
      const out = new Uint8Array(byteLength);
      await source.readInto(name, out, 0);
      entries.push([name, [...new Float32Array(out.buffer)]]);
    }
    return Object.fromEntries(entries);
  } finally {
    await source.close();
  }
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof CheckpointError ? `${error.code}: ${error.message}` : `other: ${error}`),
  );
}

describe('opening weights', () => {
  it.each(['model.safetensors', 'adapter_model.safetensors', 'some-name.safetensors'])('finds %s', async (name) => {
    const folder = newFolder();
    await write(join(folder, name), { a: [1, 2] });
    writeFileSync(join(folder, 'config.json'), '{}');
    expect(await valuesIn(folder)).toEqual({ a: [1, 2] });
    expect(await valuesIn(join(folder, name))).toEqual({ a: [1, 2] });
  });

  it.each(['pytorch_model.bin', 'adapter_model.bin', 'TimeSformer_divST.pyth', 'x.pt', 'x.pth', 'x.ckpt'])(
    'finds %s',
    async (name) => {
      const folder = newFolder();
      writeTorch(join(folder, name), 'w');
      expect(await valuesIn(folder)).toEqual({ w: [1, 2, 3, 4, 5, 6] });
    },
  );

  it('prefers safetensors to pickles, and the whole file to shards', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'pytorch_model.bin'), 'no archive');
    writeFileSync(join(folder, 'model.safetensors.index.json'), 'no index');
    await write(join(folder, 'model.safetensors'), { a: [1] });
    expect(await valuesIn(folder)).toEqual({ a: [1] });
  });

  it('reads parts of tensors, and refuses parts beyond them', async () => {
    const path = join(newFolder(), 'model.safetensors');
    await write(path, { a: [1, 2, 3], b: [4] });
    const source = await openWeights(path);
    const out = new Uint8Array(8);
    await source.readInto('a', out, 4);
    expect([...new Float32Array(out.buffer)]).toEqual([2, 3]);
    expect(await messageOf(source.readInto('a', out, 8))).toContain('E_WEIGHTS_RANGE');
    expect(await messageOf(source.readInto('a', out, -4))).toContain('E_WEIGHTS_RANGE');
    expect(await messageOf(source.readInto('aa', out, 0))).toContain('E_WEIGHTS_NO_TENSOR');
    truncateSync(path, 100);
    expect(await messageOf(source.readInto('b', new Uint8Array(4), 0))).toContain('E_SAFETENSORS_TRUNCATED');
    await source.close();
  });

  it.each([
    ['an absent path', 'absent', 'E_WEIGHTS_ABSENT'],
    ['a folder without weights', '.', 'E_WEIGHTS_ABSENT'],
    ['a format that is not known', 'weights.onnx', 'E_WEIGHTS_FORMAT'],
    ['a folder under the name of an archive', 'folder.bin', 'E_WEIGHTS_ABSENT'],
  ])('refuses %s', async (_name, path, code) => {
    const folder = newFolder();
    writeFileSync(join(folder, 'weights.onnx'), 'x');
    mkdirSync(join(folder, 'folder.bin'));
    expect(await messageOf(openWeights(join(folder, path)))).toContain(`${code}: `);
  });

  it('does not choose among several files of unknown names', async () => {
    const folder = newFolder();
    await write(join(folder, 'a.safetensors'), { a: [1] });
    await write(join(folder, 'b.safetensors'), { b: [1] });
    expect(await messageOf(openWeights(folder))).toContain('E_WEIGHTS_ABSENT');
  });
});

interface ShardIndexJson {
  readonly metadata: unknown;
  readonly weight_map: Record<string, string>;
}

/** A folder of two shards, a + b and c, with the index given or the right one. */
async function shards(change: (index: ShardIndexJson) => unknown = (x) => x) {
  const folder = newFolder();
  await write(join(folder, 'm-1.safetensors'), { a: [1, 2], b: [3] });
  await write(join(folder, 'm-2.safetensors'), { c: [4] });
  const index = {
    metadata: { total_size: 16 },
    weight_map: { a: 'm-1.safetensors', b: 'm-1.safetensors', c: 'm-2.safetensors' },
  };
  const changed = change(index) ?? index;
  writeFileSync(
    join(folder, 'model.safetensors.index.json'),
    typeof changed === 'string' ? changed : JSON.stringify(changed),
  );
  return folder;
}

const mapped = (change: (map: Record<string, string>) => Record<string, string>) => (index: ShardIndexJson) => ({
  ...index,
  weight_map: change(index.weight_map),
});

describe('shards behind an index', () => {
  it('are one source, from the folder or the index', async () => {
    const folder = await shards();
    expect(await valuesIn(folder)).toEqual({ a: [1, 2], b: [3], c: [4] });
    expect(await valuesIn(join(folder, 'model.safetensors.index.json'))).toEqual({ a: [1, 2], b: [3], c: [4] });
  });

  it('may be torch archives, and links as in the cache of the Hub', async () => {
    const [folder, blobs] = [newFolder(), newFolder()];
    for (const [i, name] of ['x', 'y'].entries()) {
      writeTorch(join(blobs, `blob-${i}`), name);
      symlinkSync(join(blobs, `blob-${i}`), join(folder, `part-${i}.bin`));
    }
    const index = { weight_map: { x: 'part-0.bin', y: 'part-1.bin' } };
    writeFileSync(join(folder, 'pytorch_model.bin.index.json'), JSON.stringify(index));
    const values = [1, 2, 3, 4, 5, 6];
    expect(await valuesIn(folder)).toEqual({ x: values, y: values });
  });

  it('say a total_size that differs, and take any other metadata', async () => {
    const note = async (folder: string) => {
      const source = await openWeights(folder);
      await source.close();
      return source.notes?.join();
    };
    const metadata = (fields: object) => shards((index) => ({ ...index, metadata: fields }));
    expect(await note(await shards())).toBe('');
    expect(await note(await metadata({ total_size: 17 }))).toContain("says 17 bytes, the shards' tensors have 16");
    expect(await note(await metadata({ total_size: 1.6e1, x: [1, { y: [null, true, -1.5e-3] }], z: 'text' }))).toBe('');
    expect(await note(await metadata({ total_size: '16' }))).toBe('');
    expect(await note(await shards(({ weight_map }) => ({ weight_map, version: 2 })))).toBe('');
  });

  it.each<[string, (map: Record<string, string>) => Record<string, string>, string]>([
    ['a tensor that its shard lacks', (map) => ({ ...map, d: 'm-2.safetensors' }), 'd: not in m-2.safetensors'],
    [
      'a tensor that the index lacks',
      ({ a = '', c = '' }) => ({ a, c }),
      'b: in m-1.safetensors, but not in the index',
    ],
    ['a tensor in another shard', (map) => ({ ...map, b: 'm-2.safetensors' }), 'the index has it in m-2.safetensors'],
  ])('are refused for %s', async (_name, change, message) => {
    const got = await messageOf(openWeights(await shards(mapped(change))));
    expect(got).toContain('E_SHARD_MISMATCH');
    expect(got).toContain(message);
  });

  it('are refused when a tensor is in two of them', async () => {
    const folder = await shards();
    await write(join(folder, 'm-2.safetensors'), { c: [4], a: [9, 9] });
    const got = await messageOf(openWeights(folder));
    expect(got).toContain('E_SHARD_MISMATCH');
    expect(got).toContain('a: in m-2.safetensors, the index has it in m-1.safetensors');
  });

  it('are refused with all problems at once', async () => {
    const got = await messageOf(
      openWeights(
        await shards(({ weight_map }) => {
          for (let i = 0; i < 30; i++) weight_map[`x${i}`] = 'm-2.safetensors';
        }),
      ),
    );
    expect(got).toContain('30 tensors do not agree');
    expect(got).toContain('... and 10 more');
  });

  it.each([
    '../m-1.safetensors',
    '/etc/passwd',
    'sub/m-1.safetensors',
    'sub\\m-1.safetensors',
    '.hidden.safetensors',
    '..',
    '',
    'm-1.safetensors\0',
    'C:m-1.safetensors',
    'm-1.json',
    'model.safetensors.index.json',
    `${'x'.repeat(300)}.safetensors`,
  ])('are refused under the name %j', async (name) => {
    const folder = await shards(mapped((map) => ({ ...map, a: name })));
    const got = await messageOf(openWeights(folder));
    expect(got).toContain('E_SHARD_INDEX: ');
    expect(got).toContain('is no plain name');
  });

  it.each([
    ['no JSON', 'hello', 'E_SHARD_INDEX:'],
    ['an array', '[]', 'E_SHARD_INDEX:'],
    ['no map', '{"metadata":{}}', 'E_SHARD_INDEX:'],
    ['an empty map', '{"weight_map":{}}', 'E_SHARD_INDEX:'],
    ['a map of numbers', '{"weight_map":{"a":1}}', 'E_SHARD_INDEX:'],
    ['a tensor twice', '{"weight_map":{"a":"x.bin","a":"y.bin"}}', 'E_SHARD_INDEX_DUPLICATE:'],
    ['two maps', '{"weight_map":{"a":"x.bin"},"weight_map":{"a":"x.bin"}}', 'E_SHARD_INDEX_DUPLICATE:'],
    ['text behind it', '{"weight_map":{"a":"x.bin"}} x', 'E_SHARD_INDEX:'],
    ['deep nesting', `{"metadata":{"x":${'['.repeat(100_000)}`, 'E_SHARD_INDEX:'],
    ['a deep object', `{"metadata":{"x":${'{"a":'.repeat(100_000)}`, 'E_SHARD_INDEX:'],
    ['a broken value', '{"metadata":{"x":nul}}', 'E_SHARD_INDEX:'],
    [
      '513 shards',
      JSON.stringify({ weight_map: Object.fromEntries(Array.from({ length: 513 }, (_, i) => [i, `${i}.bin`])) }),
      'E_SHARD_INDEX:',
    ],
  ])('are refused for an index with %s', async (_name, text, code) => {
    expect(await messageOf(openWeights(await shards(() => text)))).toContain(code);
  });

  it('are refused for an index that is not UTF-8, and for a shard that is absent', async () => {
    const folder = await shards();
    writeFileSync(join(folder, 'model.safetensors.index.json'), Buffer.from([0x7b, 0xff, 0x7d]));
    expect(await messageOf(openWeights(folder))).toContain('not UTF-8');
    const absent = await shards(mapped((map) => ({ ...map, d: 'm-3.safetensors' })));
    expect(await messageOf(openWeights(absent))).toContain('E_SAFETENSORS_FILE');
  });

  it('close every file when one is refused', async () => {
    const folder = await shards();
    copyFileSync(join(folder, 'm-1.safetensors'), join(folder, 'm-2.safetensors'));
    const before = openFiles();
    for (let i = 0; i < 20; i++) expect(await messageOf(openWeights(folder))).toContain('E_SHARD_MISMATCH');
    expect(openFiles()).toBe(before);
  });
});

/** The next free descriptor: it moves when one leaks. */
function openFiles(): number {
  const handle = openSync('/dev/null', 'r');
  closeSync(handle);
  return handle;
}
