import { describe, expect, it } from 'vitest';
import { compileReport, HOT_KERNELS, parseAssemblerLog } from '../../../src/backend/cuda/compile-report.js';
import { KernelLibrary } from '../../../src/backend/cuda/kernel-library.js';

const LOG = `ptxas info    : 24 bytes gmem
ptxas info    : Compiling entry function '_Z6unusedPf' for 'sm_90'
ptxas info    : Used 9 registers
ptxas info    : Compiling entry function 'gelu' for 'sm_90'
ptxas info    : Function properties for gelu
    16 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 128 bytes smem, 380 bytes cmem[0]
ptxas info    : Compiling entry function 'swiglu' for 'sm_90'
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 24 registers, used 0 barriers
`;

describe('parseAssemblerLog', () => {
  it('reads the figures of each exported kernel', () => {
    const figures = { sm: 90, stackBytes: 0, sharedBytes: 0 };
    expect(parseAssemblerLog(LOG)).toEqual([
      { ...figures, kernel: 'gelu', registers: 40, spillBytes: 20, stackBytes: 16, sharedBytes: 128 },
      { ...figures, kernel: 'swiglu', registers: 24, spillBytes: 0 },
    ]);
  });
});

const library = await KernelLibrary.read();
/** The first time it compiles about 25 files for four generations: minutes; then the cache answers. */
const report = await compileReport();
const reason = 'skipped' in report ? `skipped: ${report.skipped}` : report.compiler;

describe(`every kernel (${reason})`, () => {
  const kernels = 'skipped' in report ? [] : report.kernels;

  it.skipIf('skipped' in report)('compiles for sm_80, sm_86, sm_89 and sm_90', () => {
    const names = library.all.flatMap(({ signatures }) => signatures.map(({ name }) => name)).sort();
    for (const sm of [80, 86, 89, 90]) {
      expect(
        kernels
          .filter((kernel) => kernel.sm === sm)
          .map(({ kernel }) => kernel)
          .sort(),
      ).toEqual(names);
    }
  });

  it.skipIf('skipped' in report)('that is hot keeps its numbers in registers', () => {
    const hot = kernels.filter(({ kernel }) => HOT_KERNELS.test(kernel));
    expect(hot.length).toBeGreaterThan(4 * 20);
    expect(hot.filter(({ spillBytes }) => spillBytes > 0)).toEqual([]);
  });
});
