/**
 * `npm run test:gpu`, `npm run bench:gpu` and `mimic doctor` on an emulated GPU, as they run on a server: compiled, in
 * processes of their own. The figures mean nothing here; that every line comes out does.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { WORKSPACE_BYTES } from '../src/backend/cuda/cublaslt.js';
import { KERNEL_FAMILIES } from '../src/backend/self-test/calls/index.js';
import { packageRoot } from '../src/base/package-root.js';
import { buildStubCuda } from './support/cuda/build-stub.js';
import { runCli } from './support/run-cli.js';

/** First compilations of the libraries, of the kernels for both devices, and of the scripts. */
const BUILD_MS = 300_000;
const RUN_MS = 240_000;

interface Finished {
  readonly code: number | null;
  readonly output: string;
}

let env: NodeJS.ProcessEnv;
let folder: string;

function run(...words: string[]): Promise<Finished> {
  const child = spawn(process.execPath, words, { cwd: packageRoot(), env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

const gpu = (...words: string[]) => run(join('scripts', 'gpu.mjs'), ...words);

beforeAll(async () => {
  const stub = await buildStubCuda();
  env = {
    ...process.env,
    MIMIC_CUDA_LIBS: stub.folder,
    MIMIC_BENCH_PYTHON: '/nonexistent/python3',
    OMP_NUM_THREADS: '1',
  };
  folder = mkdtempSync(join(tmpdir(), 'mimic-gpu-'));
  expect(await gpu('build')).toEqual({ code: 0, output: '' });
}, BUILD_MS);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the GPU tests', () => {
  it('pass in every suite on the emulator, and say so in a table and a file', { timeout: RUN_MS }, async () => {
    const file = join(folder, 'test.json');
    const { code, output } = await gpu('test', '--quick', '--out', file);
    expect(output).toMatch(/^cuda:0 Stub /);
    expect(output).toMatch(/^\d+ passed, 0 failed \(quick\)$/m);
    expect(code).toBe(0);
    const report = JSON.parse(readFileSync(file, 'utf8')) as {
      failed: number;
      parts: { family: string; cases: number; failures: string[] }[];
    };
    expect(report.failed).toBe(0);
    const suites = [
      'gemm, f32 operands',
      'gemm, bf16 operands',
      'attention, f32',
      'attention, bf16',
      'recording',
      'memory',
    ];
    expect(report.parts.map(({ family }) => family)).toEqual([
      ...[...Object.keys(KERNEL_FAMILIES), ...suites],
      ...['model', 'offsets past 2^31, f32', 'offsets past 2^31, bf16'],
    ]);
    for (const { cases } of report.parts) expect(cases).toBeGreaterThan(0);
  });

  it('exit with 2 and say what is missing where there is no such GPU', async () => {
    const { code, output } = await gpu('test', '--quick', '--device', '7');
    expect(code).toBe(2);
    expect(output).toMatch(/^error E_DEVICE_ABSENT: device cuda:7/m);
    expect(output).toMatch(/^ {2}hint: /m);
  });
});

describe('the GPU benchmark', () => {
  it('gives rows in every section on the emulator, and leaves PyTorch out with the reason', {
    timeout: RUN_MS,
  }, async () => {
    const file = join(folder, 'bench.json');
    const { code, output } = await gpu('bench', '--quick', '--out', file);
    expect(output).toContain('no PyTorch with a GPU in /nonexistent/python3');
    const report = JSON.parse(readFileSync(file, 'utf8')) as {
      device: string;
      leftOut: string[];
      failed: string[];
      rows: { name: string; ours: number; unit: string; peer?: number; ratio?: number }[];
    };
    expect(report.failed).toEqual([]);
    expect(code).toBe(0);
    expect(report.device).toMatch(/^cuda:0 Stub /);
    expect(report.leftOut).toHaveLength(1);
    const sections = report.rows.map(({ name }) => name.split(' ').slice(0, 2).join(' ').replace(/,$/, ''));
    const expected = [
      'GEMM bf16',
      'attention forward',
      'kernel add',
      '8B layer',
      '8B decoding',
      '8B LoRA',
      '8B choice',
    ];
    for (const section of expected) {
      expect(sections).toContain(section);
    }
    for (const { name, ours, peer, ratio } of report.rows) {
      expect(ours, name).toBeGreaterThan(0);
      if (peer !== undefined) expect(ratio, name).toBeGreaterThan(0);
    }
  });

  it('goes on after a section that fails, and exits with 1', { timeout: RUN_MS }, async () => {
    const file = join(folder, 'small.json');
    // Room for small products; the copies of the row section, twice 64 KiB, do not fit.
    env = { ...env, MIMIC_STUB_MEMORY_BYTES: String(WORKSPACE_BYTES + 80 * 2 ** 10) };
    const { code } = await gpu('bench', '--quick', '--only', 'gemm|rows', '--out', file);
    env = { ...env, MIMIC_STUB_MEMORY_BYTES: '' };
    const report = JSON.parse(readFileSync(file, 'utf8')) as { failed: string[]; rows: { name: string }[] };
    expect(code).toBe(1);
    expect(report.failed.join()).toMatch(/^rows: .*E_OUT_OF_MEMORY/);
    expect(report.rows.some(({ name }) => name.startsWith('GEMM'))).toBe(true);
  });
});

describe('mimic doctor', () => {
  it('lists the GPU and the libraries, and tests every kernel family on it', { timeout: RUN_MS }, async () => {
    vi.stubEnv('MIMIC_CUDA_LIBS', env['MIMIC_CUDA_LIBS'] ?? '');
    const { exitCode, stdout } = await runCli('doctor');
    vi.unstubAllEnvs();
    expect(stdout).toMatch(/^ok +NVIDIA driver +driver for CUDA \d+\.\d+, \/.*libcuda\.so\.1 \(MIMIC_CUDA_LIBS\)$/m);
    expect(stdout).toMatch(/^ok +GPU cuda:0 +Stub .*, sm_\d\d, \d+ multiprocessors, .* memory, .* L2$/m);
    expect(stdout).toMatch(/^ok +NVRTC +\d+\.\d+, \/.*libnvrtc/m);
    expect(stdout).toMatch(/^ok +cuBLASLt +\d+, \/.*libcublasLt/m);
    for (const family of [...Object.keys(KERNEL_FAMILIES), 'gemm', 'attention']) {
      expect(stdout).toMatch(new RegExp(`^ok +cuda:0: ${family} +\\d+ launches`, 'm'));
    }
    expect(exitCode).toBe(0);
  });
});
