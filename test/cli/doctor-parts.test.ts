/** The parts of `mimic doctor` on machines that are described to it. */
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { buildLibrary } from '../../src/backend/host/compile.js';
import { NullDevice } from '../../src/backend/null-device.js';
import { BackendError } from '../../src/base/errors.js';
import { findCuda } from '../../src/cli/doctor/cuda-checks.js';
import { checkDevice, familyCheck } from '../../src/cli/doctor/device-tests.js';
import { kernelChecks } from '../../src/cli/doctor/kernel-report.js';
import { checkProcessor, vectorExtensions } from '../../src/cli/doctor/processor.js';
import { runCli } from '../support/run-cli.js';

beforeAll(async () => void (await buildLibrary()), 300_000);
afterEach(() => {
  vi.restoreAllMocks();
  vi.doUnmock('../../src/cli/doctor/device-tests.js');
});

describe('the processor', () => {
  it('is described by the extensions that kernels use', () => {
    const x86 = 'model name\t: Some CPU\nflags\t\t: fpu sse2 fma avx2 avx512f avx512_bf16 amx_bf16 amx_tile\n';
    expect(vectorExtensions(x86)).toEqual(['AVX2', 'FMA', 'AVX-512', 'AVX-512 BF16', 'AMX BF16']);
    expect(vectorExtensions('Features\t: fp asimd sve bf16\n')).toEqual(['NEON', 'SVE', 'Arm BF16']);
    expect(checkProcessor(x86, 'Some CPU').found).toBe('Some CPU: AVX2, FMA, AVX-512, AVX-512 BF16, AMX BF16');
    expect(checkProcessor('flags : fpu\n', 'Old CPU').found).toBe('Old CPU: no vector extension known');
    expect(checkProcessor(undefined, 'Any').found).toMatch(/^Any: /);
  });
});

describe("NVIDIA's side", () => {
  const absent = (name: 'cuda' | 'nvrtc' | 'cublasLt' | 'nccl') =>
    ({ name, present: false, found: 'not found; looked everywhere', fix: `install ${name}` }) as const;
  const gpu = {
    ...{ name: 'NVIDIA A100', sm: 80, multiprocessors: 108, totalBytes: 40 * 2 ** 30, l2Bytes: 40 * 2 ** 20 },
    ...{ clockKHz: 1, memoryClockKHz: 1, memoryBusBits: 1, threadsPerMultiprocessor: 2048, bytesPerSecond: 1 },
    ...{ capabilityMajor: 8, capabilityMinor: 0, sharedBytesPerMultiprocessor: 1, sharedBytesPerBlock: 1 },
  };

  it('is all notes, with one piece of advice, where there is no driver', () => {
    const { checks, gpus } = findCuda({ libraries: [absent('cuda'), absent('nvrtc'), absent('nccl')], devices: [] });
    expect(gpus).toEqual([]);
    const unneeded = 'not found; needed beside a GPU only';
    expect(checks).toEqual([
      { name: 'NVIDIA driver', status: 'note', found: 'not found; looked everywhere', fix: 'install cuda' },
      { name: 'NVRTC', status: 'note', found: unneeded },
      { name: 'NCCL', status: 'note', found: unneeded },
    ]);
  });

  it('lists libraries and GPUs, and tests only those GPUs that the kernels run on', () => {
    const driver = { name: 'cuda', present: true, found: 'driver for CUDA 12.4, /lib/libcuda.so.1' } as const;
    const survey = { libraries: [driver, absent('cublasLt')], devices: [{ ...gpu, name: 'Old', sm: 75 }, gpu] };
    const { checks, gpus } = findCuda(survey);
    expect(gpus).toEqual([1]);
    expect(checks).toEqual([
      { name: 'NVIDIA driver', status: 'ok', found: 'driver for CUDA 12.4, /lib/libcuda.so.1' },
      { name: 'cuBLASLt', status: 'note', found: 'not found; looked everywhere', fix: 'install cublasLt' },
      {
        name: 'GPU cuda:0',
        status: 'note',
        found: 'Old, sm_75, 108 multiprocessors, 40 GiB memory, 40 MiB L2',
        fix: expect.stringContaining('compute capability 8.0'),
      },
      { name: 'GPU cuda:1', status: 'ok', found: 'NVIDIA A100, sm_80, 108 multiprocessors, 40 GiB memory, 40 MiB L2' },
    ]);
  });
});

describe('the self-test of a device', () => {
  const passed = { family: 'norm', cases: 16, failed: 0, maxError: 0.0064, milliseconds: 3.2, failures: [] };

  it('is a line by family', () => {
    expect(familyCheck('cpu', passed)).toEqual({
      name: 'cpu: norm',
      status: 'ok',
      found: '16 launches, largest error 6.4e-3, 3 ms',
    });
  });

  it('names the first failure, and what to do', () => {
    const failures = ['rms_norm 3 x 70: error 2.0e+0, at most 4.0e-5', 'another'];
    expect(familyCheck('cuda:0', { ...passed, failed: 2, failures })).toMatchObject({
      name: 'cuda:0: norm',
      status: 'failed',
      found: '2 of 16 launches, largest error 6.4e-3, 3 ms; first: rms_norm 3 x 70: error 2.0e+0, at most 4.0e-5',
      fix: expect.stringContaining('mimic doctor --json'),
    });
  });

  it('fails on a device that computes nothing', async () => {
    const checks = await checkDevice('null', async () => new NullDevice());
    // Arithmetic whose right answer is 0 everywhere does not exist in any family.
    expect(checks.map(({ status }) => status)).toEqual(checks.map(() => 'failed'));
  });

  it('is a note with the reason where the device cannot be opened', async () => {
    const error = new BackendError('E_COMPILER_ABSENT', 'no C++ compiler', { hint: 'install one' });
    expect(await checkDevice('cpu', () => Promise.reject(error))).toEqual([
      { name: 'cpu: kernels', status: 'note', found: 'not tested: no C++ compiler', fix: 'install one' },
    ]);
    await expect(checkDevice('cpu', () => Promise.reject(new TypeError('a bug')))).rejects.toThrow('a bug');
  });

  it('passes on what the device says about its matrix products', async () => {
    const device = Object.assign(new NullDevice(), {
      gemmChoice: { library: 'OpenBLAS 0.3', reason: 'faster', gflops: 170 },
    });
    const [first] = await checkDevice('cpu', async () => device);
    expect(first).toEqual({ name: 'GEMM on cpu', status: 'ok', found: 'OpenBLAS 0.3, 170 GFLOP/s: faster' });
  });

  it('makes the command exit with 1 when it fails', async () => {
    const failed = { name: 'cpu: norm', status: 'failed', found: '1 of 2 launches' };
    vi.doMock('../../src/cli/doctor/device-tests.js', () => ({ checkDevices: async () => [failed] }));
    const { exitCode, stdout } = await runCli('doctor');
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^failed +cpu: norm +1 of 2 launches$/m);
  });
});

describe('the compile report', () => {
  const report = (kernel: string, sm: number, registers: number, spillBytes: number) => ({
    ...{ kernel, sm, registers, spillBytes },
    ...{ stackBytes: 0, sharedBytes: 0 },
  });

  it('is a line a kernel with registers by generation, and a note where they spill', () => {
    const kernels = [report('rope', 80, 30, 0), report('gelu', 80, 20, 0), report('rope', 90, 28, 16)];
    expect(kernelChecks({ compiler: 'NVRTC 12.9', kernels })).toEqual([
      { name: 'compile report', status: 'ok', found: '2 kernels by NVRTC 12.9' },
      { name: 'gelu', status: 'ok', found: 'sm_80 20 registers' },
      {
        name: 'rope',
        status: 'note',
        found: 'sm_80 30 registers, sm_90 28 registers and 16 B spilt (a hot kernel)',
        fix: 'spilt registers cost time, not correctness',
      },
    ]);
  });

  it('says why there is none', () => {
    expect(kernelChecks({ skipped: 'NVRTC: not found' })).toEqual([
      { name: 'compile report', status: 'note', found: 'NVRTC: not found' },
    ]);
  });
});
