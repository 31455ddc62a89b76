/** The kernels of every device at work: which matrix product was chosen and why, and the self-test by family. */
import type { Device } from '../../backend/device.js';
import { type FamilyResult, selfTest } from '../../backend/self-test/self-test.js';
import { BackendError } from '../../base/errors.js';
import type { Check } from '../doctor-checks.js';

/** What a device may say about how it multiplies matrices. */
interface GemmChoice {
  readonly library: string;
  readonly reason: string;
  readonly gflops?: number;
}

function gemmChoiceOf(device: Device): GemmChoice | undefined {
  const choice: unknown = 'gemmChoice' in device ? device.gemmChoice : undefined;
  if (typeof choice !== 'object' || choice === null || !('library' in choice) || !('reason' in choice))
    return undefined;
  const speed = 'gflops' in choice && typeof choice.gflops === 'number' ? { gflops: choice.gflops } : {};
  return { library: String(choice.library), reason: String(choice.reason), ...speed };
}

function checkGemm(label: string, device: Device): Check[] {
  const choice = gemmChoiceOf(device);
  if (choice === undefined) return [];
  const speed = choice.gflops === undefined ? '' : `, ${choice.gflops.toFixed(0)} GFLOP/s`;
  return [{ name: `GEMM on ${label}`, status: 'ok', found: `${choice.library}${speed}: ${choice.reason}` }];
}

/** A family's verdict as a line. */
export function familyCheck(label: string, result: FamilyResult): Check {
  const { family, cases, failed, maxError, milliseconds, failures } = result;
  const name = `${label}: ${family}`;
  const figures = `${cases} launches, largest error ${maxError.toExponential(1)}, ${milliseconds.toFixed(0)} ms`;
  if (failed === 0) return { name, status: 'ok', found: figures };
  const [first = ''] = failures;
  return {
    name,
    status: 'failed',
    found: `${failed} of ${figures}; first: ${first}`,
    fix: 'report this with the output of mimic doctor --json; until then use another --device or --backend wasm',
  };
}

/** Opens a device, tests it and closes it; one that cannot be opened is a note with the reason. */
export async function checkDevice(label: string, open: () => Promise<Device>): Promise<Check[]> {
  let device: Device;
  try {
    device = await open();
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    const fix = error.hint === undefined ? {} : { fix: error.hint };
    return [{ name: `${label}: kernels`, status: 'note', found: `not tested: ${error.message}`, ...fix }];
  }
  try {
    return [...checkGemm(label, device), ...selfTest(device).map((result) => familyCheck(label, result))];
  } finally {
    device.dispose();
  }
}

export async function checkDevices(gpus: readonly number[]): Promise<Check[]> {
  const { HostDevice } = await import('../../backend/host/host-device.js');
  const checks = await checkDevice('cpu', () => HostDevice.create());
  if (gpus.length === 0) return checks;
  const { CudaDevice } = await import('../../backend/cuda/cuda-device.js');
  for (const index of gpus) checks.push(...(await checkDevice(`cuda:${index}`, () => CudaDevice.create({ index }))));
  return checks;
}
