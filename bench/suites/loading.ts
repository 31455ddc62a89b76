/**
 * Weights from a file to device memory, beside `cat` of the same file to /dev/null.
 *
 * Three ways: frozen weights stay in the file (bf16 and bf16), are copied (what is trained, or MIMIC_MAP_WEIGHTS=0), or are
 * widened to f32. A mapped file counts only once every byte has been summed up by a kernel. `cat` keeps nothing: its buffer
 * stays in the processor's cache. A copy must also write every byte to memory (with f32 storage two for one), so with the file
 * in the page cache it cannot reach `cat`; from the disk it should.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { FloatStorage } from '../../src/backend/device.js';
import { useBackend } from '../../src/backend/select.js';
import { openWeights } from '../../src/model/weights/open-weights.js';
import { writeSafetensors } from '../../src/model/weights/safetensors.js';
import { uploadRows } from '../../src/model/weights/upload.js';
import { interleaved, type Sample } from '../measure.js';
import { type BenchContext, row } from '../report.js';

/** Matrices of an 8B model's width: 32 MiB each. */
const WIDTH = 4096;
const MATRICES = 32;
const QUICK_MATRICES = 2;
const PEER_NAME = 'cat to /dev/null';

const CACHES = ['file in the page cache', 'file on the disk'] as const;
type Cache = (typeof CACHES)[number];
interface Way {
  readonly name: string;
  readonly storage: FloatStorage;
  readonly mapped: boolean;
}
const WAYS: readonly Way[] = [
  { name: 'bf16 file in place, every byte summed up', storage: 'bf16', mapped: true },
  { name: 'bf16 file to bf16, copied', storage: 'bf16', mapped: false },
  { name: 'bf16 file to f32', storage: 'f32', mapped: false },
];
const nameOf = ({ name }: Way, cache: Cache) => `loading: ${name}, ${cache}`;

/** bf16 from 0.01 to 0.03, another sequence in every matrix. */
function matrix(index: number): Uint16Array {
  return Uint16Array.from({ length: WIDTH * WIDTH }, (_, i) => 0x3c24 + ((i * 7919 + index) % 211));
}

async function writeFile(path: string, count: number): Promise<number> {
  const entries = Array.from({ length: count }, (_, i) => ({
    name: `layers.${i}.weight`,
    dtype: 'BF16' as const,
    shape: [WIDTH, WIDTH],
    data: () => matrix(i),
  }));
  await writeSafetensors(path, entries);
  return (await stat(path)).size;
}

async function loadAll(path: string, { storage, mapped }: Way): Promise<tf.Tensor[]> {
  const source = await openWeights(path);
  const tensors: tf.Tensor[] = [];
  for (const { name, shape } of source.tensors.values()) {
    const rows = [{ tensor: name, start: 0, count: shape[0] ?? 1 }];
    const tensor = await uploadRows(source, rows, shape, storage, mapped ? 'whole' : undefined);
    if (mapped) await tf.tidy(() => tf.sum(tensor)).data();
    tensors.push(tensor);
  }
  await source.close();
  return tensors;
}

/** A comparison of wrong values would be worth nothing. */
async function checkValues(path: string, way: Way): Promise<void> {
  const tensors = await loadAll(path, way);
  const values = tensors[1]?.dataSync<'float32'>() ?? new Float32Array(0);
  tf.dispose(tensors);
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  if (!matrix(1).every((bits, i) => words[i] === bits * 0x10000)) throw new Error(`wrong values: ${way.name}`);
}

/** False where it cannot be done: not on Linux, or without GNU dd. */
function dropFromCache(path: string): boolean {
  const args = [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'];
  return process.platform === 'linux' && spawnSync('dd', args, { stdio: 'ignore' }).status === 0;
}

const sample =
  (prepare: () => unknown, run: () => Promise<() => void>): Sample =>
  async () => {
    prepare();
    const started = performance.now();
    const dispose = await run();
    const ms = performance.now() - started;
    dispose();
    return ms;
  };

export async function loadingRows(context: BenchContext): Promise<void> {
  const wanted = CACHES.map((cache) => ({
    cache,
    ways: WAYS.filter((way) => context.wants(nameOf(way, cache))),
  })).filter(({ ways }) => ways.length > 0);
  if (wanted.length === 0 || process.platform === 'win32') return;
  await useBackend({ backend: 'native', device: 'cpu', threads: context.threads });
  const folder = await mkdtemp(join(tmpdir(), 'mimic-bench-'));
  const path = join(folder, 'model.safetensors');
  try {
    const bytes = await writeFile(path, context.quick ? QUICK_MATRICES : MATRICES);
    for (const way of WAYS) await checkValues(path, way);
    for (const { cache, ways } of wanted) {
      if (cache === 'file on the disk' && !dropFromCache(path)) continue;
      const prepare = cache === 'file on the disk' ? () => dropFromCache(path) : () => undefined;
      const cat = sample(prepare, async () => {
        spawnSync('sh', ['-c', 'cat "$0" > /dev/null', path]);
        return () => undefined;
      });
      const sides = ways.map((way) =>
        sample(prepare, async () => {
          const tensors = await loadAll(path, way);
          return () => tf.dispose(tensors);
        }),
      );
      const timing = context.quick ? { repeats: 3, warmUp: 1 } : { repeats: 7, warmUp: 2 };
      const [catMs = 0, ...times] = await interleaved([cat, ...sides], timing);
      const speed = (ms: number) => bytes / ms / 1e6;
      for (const [i, way] of ways.entries()) {
        const note = `${(bytes / 1e9).toFixed(2)} GB${way.mapped ? '' : ', into memory that an earlier load used'}`;
        const speeds = { ours: speed(times[i] ?? 0), peer: speed(catMs) };
        const fields = { name: nameOf(way, cache), ...speeds, peerName: PEER_NAME, unit: 'GB/s', note };
        context.add(row('higher', fields));
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
