/**
 * Speed of the native backend's matrix product, beside OpenBLAS where one is installed.
 *
 *     npx tsc --noEmit false --outDir .cache/bench && node .cache/bench/bench/gemm.js [threads]
 *
 * Each figure is the best of many runs after a warm-up. The shapes are those of training: square, a layer forward,
 * a weight's gradient, attention by products, one token at a time.
 */
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { load } from 'koffi';
import type { GemmProblem } from '../src/backend/device.js';
import { gemmFlops } from '../src/backend/device.js';
import { HostDevice } from '../src/backend/host/host-device.js';
import { Rng } from '../src/base/rng.js';

interface Shape {
  readonly what: string;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly batch?: number;
}

const SHAPES: readonly Shape[] = [
  { what: 'square', m: 1024, n: 1024, k: 1024 },
  { what: 'square, B transposed', m: 1024, n: 1024, k: 1024, transposeB: true },
  { what: 'square, A transposed', m: 1024, n: 1024, k: 1024, transposeA: true },
  { what: 'layer', m: 3000, n: 64, k: 64, transposeB: true },
  { what: 'layer', m: 3000, n: 256, k: 64, transposeB: true },
  { what: 'layer', m: 3000, n: 512, k: 256, transposeB: true },
  { what: 'gradient of x', m: 3000, n: 256, k: 512 },
  { what: 'gradient of a weight', m: 96, n: 256, k: 3000, transposeA: true },
  { what: 'scores of short sequences', m: 17, n: 17, k: 24, transposeB: true, batch: 256 },
  { what: 'values of short sequences', m: 33, n: 16, k: 33, batch: 512 },
  { what: 'one token', m: 1, n: 4096, k: 4096, transposeB: true },
  { what: 'a column', m: 3000, n: 1, k: 128 },
];

const OPENBLAS_NAMES = ['libopenblas.so.0', 'libopenblas.so', 'libopenblas.dylib'];
const BUDGET_MS = 400;
const WORD_BYTES = 4;
const [ROW_MAJOR, PLAIN, TRANSPOSED] = [101, 111, 112];

/** Releases older than a processor take its AVX2 kernels; ours should be held against the AVX-512 ones. */
function preferAvx512(): void {
  if (existsSync('/proc/cpuinfo') && readFileSync('/proc/cpuinfo', 'utf8').includes('avx512f')) {
    process.env['OPENBLAS_CORETYPE'] ??= 'SkylakeX';
  }
}

/** cblas_sgemm, or undefined where no OpenBLAS can be loaded. */
function loadOpenBlas(threads: number): ((...args: number[]) => void) | undefined {
  process.env['OPENBLAS_NUM_THREADS'] ??= String(threads);
  preferAvx512();
  for (const name of OPENBLAS_NAMES) {
    try {
      const library = load(name);
      console.log(`${name}, kernels for ${library.func('openblas_get_corename', 'str', [])()}`);
      const types = [...Array(6).fill('int'), 'float', 'uint64', 'int', 'uint64', 'int', 'float', 'uint64', 'int'];
      return library.func('cblas_sgemm', 'void', types);
    } catch (error) {
      console.log(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return undefined;
}

/** Seconds of the fastest run. */
function fastest(run: () => void): number {
  run();
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + BUDGET_MS;
  while (performance.now() < end) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return best / 1000;
}

function allocRandom(device: HostDevice, size: number): number {
  const rng = new Rng(1, size);
  const address = device.alloc(size * WORD_BYTES);
  device.write(
    address,
    Float32Array.from({ length: size }, () => rng.uniform() - 0.5),
  );
  return address;
}

const threads = Number(process.argv[2]) || availableParallelism();
const openBlas = loadOpenBlas(threads);
const device = await HostDevice.create({ threads });
console.log(device.name);

for (const { what, m, n, k, transposeA = false, transposeB = false, batch = 1 } of SHAPES) {
  const [strideA, strideB, strideC] = [m * k, k * n, m * n];
  const a = allocRandom(device, batch * strideA);
  const b = allocRandom(device, batch * strideB);
  const c = allocRandom(device, batch * strideC);
  const product = { transposeA, transposeB, m, n, k, a, b, c, bias: 0, accumulate: false };
  const problem: GemmProblem = { ...product, batch, strideA, strideB, strideC };
  const gigaflops = (seconds: number) => gemmFlops(problem) / seconds / 1e9;
  const ours = gigaflops(fastest(() => device.gemm(problem)));
  let theirs = '';
  if (openBlas !== undefined) {
    const order = [ROW_MAJOR, transposeA ? TRANSPOSED : PLAIN, transposeB ? TRANSPOSED : PLAIN, m, n, k, 1];
    const [lda, ldb] = [transposeA ? m : k, transposeB ? k : n];
    const item = (address: number, stride: number, i: number) => address + i * stride * WORD_BYTES;
    const seconds = fastest(() => {
      for (let i = 0; i < batch; i++) {
        openBlas(...order, item(a, strideA, i), lda, item(b, strideB, i), ldb, 0, item(c, strideC, i), n);
      }
    });
    theirs = `   OpenBLAS ${gigaflops(seconds).toFixed(1).padStart(6)}   ratio ${(ours / gigaflops(seconds)).toFixed(2)}`;
  }
  const shape = `${batch > 1 ? `${batch} x ` : ''}${m} x ${k}${transposeA ? 'T' : ''} by ${k} x ${n}${transposeB ? 'T' : ''}`;
  console.log(`${what.padEnd(26)} ${shape.padEnd(28)} ${ours.toFixed(1).padStart(6)} GFLOP/s${theirs}`);
  for (const [address, stride] of [
    [a, strideA],
    [b, strideB],
    [c, strideC],
  ] as const) {
    device.free(address, batch * stride * WORD_BYTES);
  }
}
device.dispose();
