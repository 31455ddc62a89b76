/** NVIDIA's GPUs and libraries: each found, with its version and path, or what to do. All are notes: a CPU suffices. */
import type { DeviceProperties } from '../../backend/cuda/context.js';
import type { CudaLibrary } from '../../backend/cuda/find-libraries.js';
import { type CudaSurvey, type SurveyedLibrary, surveyCuda } from '../../backend/cuda/survey.js';
import { formatBytes } from '../../base/format.js';
import type { Check } from '../doctor-checks.js';

const NAMES: Readonly<Record<CudaLibrary, string>> = {
  cuda: 'NVIDIA driver',
  nvrtc: 'NVRTC',
  cublasLt: 'cuBLASLt',
  nccl: 'NCCL',
};
const OLDEST_GENERATION = 80;

function libraryCheck({ name, present, found, fix }: SurveyedLibrary, hasDriver: boolean): Check {
  if (present) return { name: NAMES[name], status: 'ok', found };
  // Without a driver the others are of no use: no advice about them on a machine without a GPU.
  if (name !== 'cuda' && !hasDriver) {
    return { name: NAMES[name], status: 'note', found: 'not found; needed beside a GPU only' };
  }
  return { name: NAMES[name], status: 'note', found, ...(fix === undefined ? {} : { fix }) };
}

function gpuCheck(gpu: DeviceProperties, index: number): Check {
  const name = `GPU cuda:${index}`;
  const found = [
    ...[gpu.name, `sm_${gpu.sm}`, `${gpu.multiprocessors} multiprocessors`, `${formatBytes(gpu.totalBytes)} memory`],
    `${formatBytes(gpu.l2Bytes)} L2`,
  ].join(', ');
  if (gpu.sm >= OLDEST_GENERATION) return { name, status: 'ok', found };
  const fix = 'the kernels need compute capability 8.0 (A100, RTX 30) or newer: use --device cpu';
  return { name, status: 'note', found, fix };
}

/** What is known of NVIDIA's side of a machine. */
export interface CudaFindings {
  readonly checks: readonly Check[];
  /** Numbers of the GPUs that the kernels run on. */
  readonly gpus: readonly number[];
}

export function findCuda({ libraries, devices }: CudaSurvey = surveyCuda()): CudaFindings {
  const hasDriver = libraries.some(({ name, present }) => name === 'cuda' && present);
  const checks = libraries.map((library) => libraryCheck(library, hasDriver));
  checks.push(...devices.map(gpuCheck));
  const gpus = [...devices.entries()].filter(([, { sm }]) => sm >= OLDEST_GENERATION).map(([index]) => index);
  return { checks, gpus };
}
