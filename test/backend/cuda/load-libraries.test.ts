import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isLoaded, loadLibrary, requireLibrary } from '../../../src/backend/cuda/load-libraries.js';
import { BackendError } from '../../../src/base/errors.js';
import { stubFolder } from './devices.js';

const root = mkdtempSync(join(tmpdir(), 'mimic-load-'));
afterAll(() => rmSync(root, { recursive: true }));
/** A machine without any NVIDIA library, unless its loader knows one. */
const bare = { folders: [], environment: {}, systemRoot: root };

describe('loadLibrary', () => {
  it('loads the first candidate and says where it lies', () => {
    const library = loadLibrary('nvrtc', { folders: [stubFolder] });
    expect(library).toMatchObject({ path: join(stubFolder, 'libnvrtc.so.12'), major: 12, place: 'MIMIC_CUDA_LIBS' });
  });

  it('says where it looked and what to install', () => {
    const library = loadLibrary('nccl', { ...bare, newestMajor: 11 });
    if (isLoaded(library)) return; // this machine's loader has one
    expect(library.reason).toMatch(/^not found; looked through .*CUDA_HOME, the loader path, .*pip's nvidia packages/);
    expect(library.fix).toContain('pip install nvidia-nccl-cu11');
  });

  it("gives the loader's reason for a file that does not load", () => {
    const folder = join(root, 'broken');
    mkdirSync(folder);
    writeFileSync(join(folder, 'libnccl.so.2'), 'no library');
    const library = loadLibrary('nccl', { ...bare, folders: [folder] });
    if (isLoaded(library)) return;
    expect(library.reason).toContain(join(folder, 'libnccl.so.2'));
  });

  it('names a library that the driver is too old for', () => {
    const folder = join(root, 'new');
    mkdirSync(folder);
    writeFileSync(join(folder, 'libcublasLt.so.13'), '');
    const library = loadLibrary('cublasLt', { ...bare, folders: [folder], newestMajor: 12 });
    if (isLoaded(library)) return;
    expect(library.reason).toContain('libcublasLt.so.13 needs a driver for CUDA 13');
  });

  it('throws E_LIBRARY_ABSENT where one is required', () => {
    if (isLoaded(loadLibrary('cuda', bare))) return;
    expect(() => requireLibrary('cuda', bare)).toThrow(BackendError);
    expect(() => requireLibrary('cuda', bare)).toThrow(/cuda: NVIDIA's driver library \(libcuda\): not found/);
  });
});
