import { describe, expect, it } from 'vitest';
import { surveyCuda } from '../../../src/backend/cuda/survey.js';
import { stub, stubFolder } from './devices.js';

const search = { folders: [stubFolder], environment: {}, systemRoot: stubFolder };

describe('surveyCuda', () => {
  it('lists libraries with versions and places, and the GPUs', () => {
    const { libraries, devices } = surveyCuda(search);
    expect(libraries.map(({ name }) => name)).toEqual(['cuda', 'nvrtc', 'cublasLt', 'nccl']);
    expect(libraries[0]?.found).toMatch(/^driver for CUDA 12.4, .*libcuda.so.1 \(MIMIC_CUDA_LIBS\)$/);
    expect(libraries[1]?.found).toMatch(/^12.4, /);
    expect(devices.map(({ sm }) => sm)).toEqual([86]);
  });

  it('gives the reason and the fix when the driver does not start, and goes on with the rest', () => {
    stub.configure('MIMIC_STUB_DEVICES', '0');
    const { libraries, devices } = surveyCuda(search);
    stub.configure('MIMIC_STUB_DEVICES', '');
    expect(libraries[0]).toMatchObject({ name: 'cuda', present: false });
    expect(libraries[0]?.fix).toContain('nvidia-smi');
    expect(libraries[1]?.present).toBe(true);
    expect(devices).toEqual([]);
  });
});
