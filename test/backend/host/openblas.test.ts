import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GemmProblem } from '../../../src/backend/device.js';
import { HostDevice } from '../../../src/backend/host/host-device.js';
import { BackendError } from '../../../src/base/errors.js';
import { maxError } from '../../support/close.js';
import { hostTensor } from '../../support/host-tensor.js';
import { Buffers, device, randomValues, readValues } from './host-memory.js';

/** A library with OpenBLAS's names that multiplies by definition and notes its calls in a file. */
const STAND_IN = `
#include <cstdio>
#include <vector>
extern "C" void openblas_set_num_threads(int) {}
extern "C" int openblas_get_parallel() { return PARALLEL; }
extern "C" const char* openblas_get_config() { return CONFIG; }
extern "C" const char* openblas_get_corename() { return "Plain"; }
extern "C" void cblas_sgemm(int, int ta, int tb, int m, int n, int k, float alpha, const float* a, int lda, const float* b, int ldb,
                            float beta, float* c, int ldc) {
  std::vector<float> plain_b(k * n);
  for (int l = 0; l < k; l++)
    for (int j = 0; j < n; j++) plain_b[l * n + j] = b[tb == 112 ? j * (long)ldb + l : l * (long)ldb + j];
  for (int i = 0; i < m; i++) {
    float* row = c + i * (long)ldc;
    for (int j = 0; j < n; j++) row[j] = beta == 0 ? 0 : beta * row[j];
    for (int l = 0; l < k; l++) {
      const float x = alpha * a[ta == 112 ? l * (long)lda + i : i * (long)lda + l];
      for (int j = 0; j < n; j++) row[j] += x * plain_b[l * n + j];
    }
  }
  if (FILE* log = fopen(CALLS, "a")) fputs("call\\n", log), fclose(log);
}
`;

const folder = mkdtempSync(join(tmpdir(), 'mimic-openblas-'));
const calls = join(folder, 'calls');

function standIn(name: string, parallel = 1, config = 'OpenBLAS 9.8.7 DYNAMIC_ARCH'): string {
  const [source, library] = [join(folder, `${name}.cpp`), join(folder, `${name}.so`)];
  const definitions = `#define CALLS "${calls}"\n#define PARALLEL ${parallel}\n#define CONFIG "${config}"\n`;
  writeFileSync(source, definitions + STAND_IN);
  const [command = '', ...rest] = (process.env['CXX']?.trim() || 'g++').split(/\s+/);
  execFileSync(command, [...rest, '-O3', '-march=native', '-shared', '-fPIC', '-o', library, source]);
  return library;
}

const callCount = () => readFileSync(calls, 'utf8').split('\n').length - 1;

async function failure(options: Parameters<typeof HostDevice.create>[0]): Promise<BackendError> {
  try {
    await HostDevice.create(options);
  } catch (error) {
    if (error instanceof BackendError) return error;
    throw error;
  }
  throw new Error('HostDevice.create did not fail');
}

const [M, N, K] = [1040, 1030, 130];
const buffers = new Buffers();
const [A, B, BIAS] = [randomValues('a', M * K, 'f32'), randomValues('b', K * N, 'f32'), randomValues('bias', N, 'f32')];
const BEFORE = new Float64Array(M * N).fill(0.25);

function problemOf(transposeA: boolean, transposeB: boolean): GemmProblem {
  return {
    ...({ storage: 'f32', resultStorage: 'f32', activation: 'gelu' } as const),
    ...{ transposeA, transposeB, m: M, n: N, k: K, a: buffers.of(A, 'f32'), b: buffers.of(B, 'f32') },
    ...{ c: buffers.of(BEFORE, 'f32'), bias: buffers.of(BIAS, 'f32'), scale: 0.5, accumulate: true },
    ...{ batch: 1, strideA: 0, strideB: 0, strideC: 0 },
  };
}

function product(transposeA: boolean, transposeB: boolean): Float64Array {
  const problem = problemOf(transposeA, transposeB);
  device.gemm(problem);
  const values = readValues(problem.c, M * N, 'f32');
  buffers.free();
  return values;
}

describe('the choice of a matrix product', () => {
  let library = '';
  beforeAll(() => {
    writeFileSync(calls, '');
    library = standIn('plain');
  });
  // The choice is the process's: other tests want the built-in one.
  afterAll(async () => {
    await HostDevice.create({ gemm: 'builtin' });
    rmSync(folder, { recursive: true });
  });

  // Measured: 1.9e-6.
  it('sends large fp32 products to OpenBLAS, whose results are those of the built-in kernel', async () => {
    for (const transposeA of [false, true]) {
      await HostDevice.create({ gemm: 'builtin' });
      const want = product(transposeA, !transposeA);
      const before = callCount();
      const { gemmChoice } = await HostDevice.create({ gemm: 'openblas', openBlas: library });
      expect(gemmChoice.library).toBe('openblas');
      const got = product(transposeA, !transposeA);
      expect(callCount()).toBe(before + 9);
      expect(maxError(hostTensor([M, N], got), hostTensor([M, N], want)).error).toBeLessThan(6e-6);
    }
  });

  it('gives the same bits with any number of threads', async () => {
    await HostDevice.create({ gemm: 'openblas', openBlas: library });
    device.useThreads(1);
    const alone = product(false, true);
    device.useThreads(3);
    expect(Buffer.from(product(false, true).buffer).equals(Buffer.from(alone.buffer))).toBe(true);
    device.useThreads(2);
  });

  it('is measured once, and explained', async () => {
    const first = await HostDevice.create({ gemm: 'auto', openBlas: library });
    const before = callCount();
    const { gemmChoice } = await HostDevice.create({ gemm: 'auto', openBlas: library });
    expect(callCount()).toBe(before);
    expect(gemmChoice).toEqual(first.gemmChoice);
    expect(gemmChoice.library).toBe('builtin');
    expect(gemmChoice.reason).toMatch(
      /^one thread: built-in \d+ GFLOP\/s, OpenBLAS 9\.8\.7 \(Plain kernels.*plain\.so\) \d+, taken when 1\.1 x as fast$/,
    );
    expect(first.stats().peakBytes).toBe(0);
  });

  it('leaves the environment as it was', async () => {
    const before = { ...process.env };
    await HostDevice.create({ gemm: 'openblas', openBlas: library });
    expect({ ...process.env }).toEqual(before);
  });

  it.each([
    ['a file that is not there', () => '/nowhere/libopenblas.so', /\/nowhere\/libopenblas\.so: cannot open/],
    ['a library for 64-bit integers', () => standIn('wide', 1, 'OpenBLAS 9.8.7 USE64BITINT'), /64-bit integers/],
    ['a library without threads', () => standIn('serial', 0), /built without threads/],
  ])('refuses %s', async (_, path, message) => {
    const error = await failure({ openBlas: path() });
    expect(error.code).toBe('E_OPENBLAS_ABSENT');
    expect(error.message).toMatch(message);
    expect(error.hint).toContain('MIMIC_OPENBLAS');
  });

  it('refuses an unknown name', async () => {
    process.env['MIMIC_GEMM'] = 'mkl';
    try {
      expect((await failure({})).message).toBe('MIMIC_GEMM: got mkl, expected one of auto, builtin, openblas');
    } finally {
      delete process.env['MIMIC_GEMM'];
    }
  });
});
