import { describe, expect, it } from 'vitest';
import { COMPILE_OPTIONS, Nvrtc } from '../../../src/backend/cuda/nvrtc.js';
import { BackendError } from '../../../src/base/errors.js';
import { stubFolder } from './devices.js';

const nvrtc = Nvrtc.open({ folders: [stubFolder] });
const job = (source: string) => ({
  name: 'test.cu',
  source,
  headers: new Map([['scale.h', '#define SCALE 3.0f']]),
  options: COMPILE_OPTIONS,
  sm: 86,
});

describe('Nvrtc', () => {
  it('compiles with headers from memory', () => {
    const source = '#include "scale.h"\nextern "C" __global__ void scale(float* x) { x[threadIdx.x] *= SCALE; }\n';
    expect(nvrtc.compile(job(source)).image.length).toBeGreaterThan(100);
  });

  it("throws with the compiler's own message", () => {
    const compile = () => nvrtc.compile(job('extern "C" __global__ void broken() { int x = undeclared; }\n'));
    expect(compile).toThrow(BackendError);
    expect(compile).toThrow(/cuda: NVRTC failed on test.cu for sm_86:[\s\S]*undeclared/);
  });

  it('makes machine code for known GPUs, PTX of the newest older one for later ones', () => {
    expect(nvrtc.target(89)).toBe('sm_89');
    expect(nvrtc.target(120)).toBe('compute_90');
    expect(() => nvrtc.target(70)).toThrow(/compiles for sm_80 and newer, the GPU is sm_70/);
  });
});
