import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { buildLibrary } from '../../src/backend/host/compile.js';
import { KERNEL_FAMILIES } from '../../src/backend/self-test/calls/index.js';
import { checkCompiler, checkFfmpeg, checkNode, checkOptionalPackage } from '../../src/cli/doctor-checks.js';
import { runCli } from '../support/run-cli.js';

// A first compilation of the kernels would take longer than a test may.
beforeAll(async () => void (await buildLibrary()), 300_000);
afterEach(() => vi.unstubAllEnvs());

const FAMILIES = [...Object.keys(KERNEL_FAMILIES), 'gemm', 'attention'];

describe('mimic doctor', () => {
  it('finds what a machine that runs these tests must have, and says so line by line', async () => {
    const { exitCode, stdout } = await runCli('doctor');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ok +Node +\d+\./m);
    expect(stdout).toMatch(/^ok +ffmpeg +ffmpeg version/m);
    expect(stdout).toMatch(/^ok +backend +(native|wasm) \(.+\), self-test passed$/m);
    for (const family of FAMILIES) {
      expect(stdout).toMatch(new RegExp(`^ok +cpu: ${family} +\\d+ launches, largest error \\S+, \\d+ ms$`, 'm'));
    }
  });

  it('gives the same as JSON', async () => {
    const { stdout } = await runCli('doctor', '--json');
    const names = (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name);
    const machineIndependent = names.filter((name) => !/^(GPU|GEMM|cuda:)/.test(name));
    expect(machineIndependent).toEqual([
      ...[
        'Node',
        'machine',
        'CPU',
        'ffmpeg',
        'C++ compiler',
        'NVIDIA driver',
        'NVRTC',
        'cuBLASLt',
        'NCCL',
        'Open MPI',
        'backend',
      ],
      ...['@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu'],
      ...FAMILIES.map((family) => `cpu: ${family}`),
    ]);
  });

  it('exits with 2 when something needed is missing, and says how to get it', async () => {
    vi.stubEnv('FFMPEG_PATH', '/nonexistent/ffmpeg');
    const { exitCode, stdout } = await runCli('doctor');
    expect(exitCode).toBe(2);
    expect(stdout).toMatch(/^missing +ffmpeg +E_FFMPEG_ABSENT: ffmpeg cannot be run.*\n +install ffmpeg/m);
  });
});

describe('the checks', () => {
  it.each([
    ['18.20.0', 'missing'],
    ['20.18.9', 'missing'],
    ['20.19.0', 'ok'],
    ['22.0.0', 'ok'],
  ])('judge Node %s as %s', (version, status) => {
    expect(checkNode(version).status).toBe(status);
  });

  it('report an absent compiler as a note: wasm works without', async () => {
    expect(await checkCompiler(['no-such-compiler'])).toEqual({
      name: 'C++ compiler',
      status: 'note',
      found: 'not on the PATH',
      fix: 'install g++ or clang++ for the native backend; the slower wasm backend needs none',
    });
  });

  it('report an absent optional package with its install line, and a present one with its version', () => {
    expect(checkOptionalPackage('@tensorflow/no-such')).toMatchObject({
      status: 'note',
      fix: 'npm install @tensorflow/no-such@4.22',
    });
    expect(checkOptionalPackage('yaml')).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    });
  });

  it('report ffmpeg with its version', async () => {
    expect((await checkFfmpeg()).found).toMatch(/^ffmpeg version \S+$/);
  });
});
