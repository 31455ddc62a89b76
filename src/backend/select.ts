/** Chooses and starts the TF.js backend. */
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { BackendError } from '../base/errors.js';
import type { Device } from './device.js';
import { type DeviceChoice, type Precision, parseDevice, parsePrecision } from './device-option.js';
import { HostDevice } from './host/host-device.js';
import { NativeBackend } from './native-backend.js';
import { NullDevice } from './null-device.js';
import { registerKernels } from './register/index.js';

/** `native` and `null` are ours, over the host processor or (native) a GPU; `cuda` is what TF.js calls native on a GPU. */
export const BACKENDS = ['native', 'wasm', 'tfjs-node', 'tfjs-node-gpu', 'null', 'cpu'] as const;
export type BackendName = (typeof BACKENDS)[number];

export interface BackendOptions {
  /** Default native, or wasm where no C++ compiler works. */
  readonly backend?: BackendName | undefined;
  /** `auto` (default): the first GPU that can be used, else the processor; `cpu`, `cuda`, `cuda:N`. For `native` only. */
  readonly device?: string | undefined;
  /** Storage of frozen weights and activations; default bf16 on a GPU, fp32 on the processor. */
  readonly precision?: Precision | undefined;
  /** Processor threads; default OMP_NUM_THREADS, else all cores that this process may use. */
  readonly threads?: number | undefined;
}

export interface ChosenBackend {
  readonly name: BackendName;
  /** Of `native`. */
  readonly device?: 'cpu' | 'cuda';
  /** Why this one, and on what, for the start-up lines. */
  readonly reason: string;
}

async function start(name: string): Promise<void> {
  if (!(await tf.setBackend(name)))
    throw new BackendError('E_BACKEND_START', `backend ${name}: TF.js could not start it`);
  await tf.ready();
}

/** TF.js's names for a NativeBackend: over the processor, a GPU, nothing. */
type NativeName = 'native' | 'cuda' | 'null';

/** Registers a NativeBackend over the device, once per name, and makes it current. */
async function startNative(name: NativeName, device: Device): Promise<void> {
  registerKernels(name);
  tf.registerBackend(name, () => new NativeBackend(device));
  await start(name);
}

/** The device of the backend of that name, when one was started before: its tensors must stay valid. */
function startedDevice(name: NativeName): Device | undefined {
  const backend: unknown = tf.findBackend(name);
  return backend instanceof NativeBackend ? backend.device : undefined;
}

async function startWasm(threads: number): Promise<string> {
  const wasm = await import('@tensorflow/tfjs-backend-wasm');
  const require = createRequire(import.meta.url);
  wasm.setWasmPaths(dirname(require.resolve('@tensorflow/tfjs-backend-wasm')) + sep);
  wasm.setThreadsCount(threads);
  await start('wasm');
  return `WebAssembly, ${wasm.getThreadsCount()} threads`;
}

/** An optional peer, loaded by name so that nothing needs it at build time. */
async function startPeer(name: 'tfjs-node' | 'tfjs-node-gpu'): Promise<void> {
  const packageName = `@tensorflow/${name}`;
  try {
    await import(packageName);
  } catch (error) {
    throw new BackendError('E_BACKEND_ABSENT', `backend ${name}: could not load ${packageName}: ${String(error)}`, {
      hint: `npm install ${packageName}@4.22 (Node 22 or older), or use --backend native`,
      cause: error,
    });
  }
  await start('tensorflow');
}

async function startHost(threads: number | undefined): Promise<string> {
  const started = startedDevice('native');
  if (started instanceof HostDevice) {
    if (threads !== undefined) started.useThreads(threads);
    await start('native');
    return started.name;
  }
  const device = await HostDevice.create({ threads });
  await startNative('native', device);
  return device.name;
}

async function startNull(): Promise<string> {
  if (startedDevice('null') === undefined) await startNative('null', new NullDevice());
  else await start('null');
  return 'dry run: shapes and counts only';
}

async function startCuda(index: number): Promise<string> {
  const started = startedDevice('cuda');
  const { CudaDevice } = await import('./cuda/cuda-device.js');
  if (started instanceof CudaDevice) {
    if (started.index !== index) {
      throw new BackendError(
        'E_DEVICE_IN_USE',
        `device cuda:${index}: this process already computes on cuda:${started.index}`,
        {
          hint: 'one process uses one GPU: start another process, or set CUDA_VISIBLE_DEVICES',
        },
      );
    }
    await start('cuda');
    return started.name;
  }
  const device = await CudaDevice.create({ index });
  await startNative('cuda', device);
  return device.name;
}

/** Storage for work of the current backend, which must be one of ours. */
function setPrecision(precision: Precision): void {
  const backend: unknown = tf.backend();
  if (backend instanceof NativeBackend) backend.workStorage = precision === 'bf16' ? 'bf16' : 'f32';
}

/** The first device that works, and why not an earlier one. */
async function startAutomatic(threads: number | undefined): Promise<ChosenBackend> {
  let whyNotCuda: string;
  try {
    return { name: 'native', device: 'cuda', reason: await startCuda(0) };
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    whyNotCuda = error.message;
  }
  return { name: 'native', device: 'cpu', reason: `${await startHost(threads)}; no GPU: ${whyNotCuda}` };
}

async function startOn(choice: DeviceChoice, threads: number | undefined): Promise<ChosenBackend> {
  if (choice.kind === 'auto') return startAutomatic(threads);
  if (choice.kind === 'cuda') return { name: 'native', device: 'cuda', reason: await startCuda(choice.index) };
  return { name: 'native', device: 'cpu', reason: await startHost(threads) };
}

/** @throws BackendError when device or precision is none, or one that the backend named cannot give: nothing falls back silently */
export function checkDevice({ backend = 'native', device, precision }: BackendOptions): void {
  const choice = parseDevice(device);
  parsePrecision(precision);
  if (backend === 'native' || backend === 'null') return;
  if (choice.kind === 'cuda') {
    throw new BackendError('E_DEVICE_ABSENT', `device ${device}: backend ${backend} chooses its own device`, {
      hint: 'use --backend native, or leave --device out',
    });
  }
  if (precision === 'bf16') {
    throw new BackendError('E_PRECISION_ABSENT', `precision bf16: backend ${backend} stores fp32 only`, {
      hint: 'use --backend native, or --precision fp32',
    });
  }
}

/**
 * Starts a backend and makes it TF.js's current one.
 *
 * @throws BackendError E_DEVICE_NAME, E_PRECISION_NAME, E_DEVICE_ABSENT, E_PRECISION_ABSENT; E_BACKEND_ABSENT when an optional
 *   package is not installed; E_CUDA_* when a GPU was asked for by name and cannot be used; E_COMPILER_ABSENT or
 *   E_COMPILE_FAILED when `native` was asked for by name and cannot be built
 */
export async function useBackend(options: BackendOptions = {}): Promise<ChosenBackend> {
  checkDevice(options);
  const chosen = await startBackend(options);
  setPrecision(options.precision ?? (chosen.device === 'cuda' ? 'bf16' : 'fp32'));
  return chosen;
}

async function startBackend({ backend, threads, device }: BackendOptions): Promise<ChosenBackend> {
  const choice = parseDevice(device);
  const cores = threads ?? availableParallelism();
  switch (backend) {
    case 'native':
      return startOn(choice, threads);
    case 'null':
      return { name: backend, reason: await startNull() };
    case 'wasm':
      return { name: backend, reason: await startWasm(cores) };
    case 'cpu':
      await import('@tensorflow/tfjs-backend-cpu');
      await start('cpu');
      return { name: backend, reason: 'TF.js in plain JavaScript' };
    case 'tfjs-node':
    case 'tfjs-node-gpu':
      await startPeer(backend);
      return { name: backend, reason: `libtensorflow through @tensorflow/${backend}` };
    case undefined:
      try {
        return await startOn(choice, threads);
      } catch (error) {
        if (!(error instanceof BackendError) || choice.kind === 'cuda') throw error;
        return { name: 'wasm', reason: `${await startWasm(cores)}; native is not available: ${error.message}` };
      }
  }
}
