/** `mimic doctor --kernels`: what NVIDIA's compiler makes of every kernel; needs NVRTC, but no GPU. */
import {
  type CompileReport,
  compileReport,
  HOT_KERNELS,
  type KernelReport,
  type NoCompileReport,
} from '../../backend/cuda/compile-report.js';
import type { Check } from '../doctor-checks.js';

function rowOf(kernel: string, reports: readonly KernelReport[]): Check {
  const figures = reports.map(({ sm, registers, spillBytes }) => {
    return `sm_${sm} ${registers} registers${spillBytes > 0 ? ` and ${spillBytes} B spilt` : ''}`;
  });
  const spills = reports.some(({ spillBytes }) => spillBytes > 0);
  const found = `${figures.join(', ')}${spills && HOT_KERNELS.test(kernel) ? ' (a hot kernel)' : ''}`;
  if (!spills) return { name: kernel, status: 'ok', found };
  return { name: kernel, status: 'note', found, fix: 'spilt registers cost time, not correctness' };
}

/** One line a kernel, in the order of their names. */
export function kernelChecks(report: CompileReport | NoCompileReport): Check[] {
  if ('skipped' in report) return [{ name: 'compile report', status: 'note', found: report.skipped }];
  const kernels = [...new Set(report.kernels.map(({ kernel }) => kernel))].sort();
  const rows = kernels.map((kernel) =>
    rowOf(
      kernel,
      report.kernels.filter((one) => one.kernel === kernel),
    ),
  );
  return [{ name: 'compile report', status: 'ok', found: `${kernels.length} kernels by ${report.compiler}` }, ...rows];
}

export async function checkKernels(): Promise<Check[]> {
  return kernelChecks(await compileReport());
}
