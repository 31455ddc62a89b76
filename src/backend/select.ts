/** Chooses and starts the TF.js backend. */
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { BackendError } from '../base/errors.js';
import type { Device } from './device.js';
import { HostDevice } from './host/host-device.js';
import { NativeBackend } from './native-backend.js';
import { NullDevice } from './null-device.js';
import { registerKernels } from './register/index.js';

export const BACKENDS = ['native', 'wasm', 'tfjs-node', 'tfjs-node-gpu', 'null', 'cpu'] as const;
export type BackendName = (typeof BACKENDS)[number];

export interface BackendOptions {
  /** Default native, or wasm where no C++ compiler works. */
  readonly backend?: BackendName | undefined;
  /** `cpu`; other devices are refused with what this version has. */
  readonly device?: string | undefined;
  /** Storage of weights and activations; `bf16` is refused where the device has none. */
  readonly precision?: 'fp32' | 'bf16' | undefined;
  /** Processor threads; default OMP_NUM_THREADS, else all cores that this process may use. */
  readonly threads?: number | undefined;
}

export interface ChosenBackend {
  readonly name: BackendName;
  /** Why this one, and on what, for the start-up lines. */
  readonly reason: string;
}

async function start(name: string): Promise<void> {
  if (!(await tf.setBackend(name)))
    throw new BackendError('E_BACKEND_START', `backend ${name}: TF.js could not start it`);
  await tf.ready();
}

/** Registers a NativeBackend over the device, once per name, and makes it current. */
async function startNative(name: 'native' | 'null', device: Device): Promise<void> {
  registerKernels(name);
  tf.registerBackend(name, () => new NativeBackend(device));
  await start(name);
}

/** The device of the backend of that name, when one was started before: its tensors must stay valid. */
function startedDevice(name: 'native' | 'null'): Device | undefined {
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

/** What was asked for must be what computes: nothing falls back silently. @throws BackendError E_DEVICE_ABSENT, E_PRECISION_ABSENT */
export function checkDevice({ device = 'cpu', precision = 'fp32' }: BackendOptions): void {
  if (device !== 'cpu') {
    const asked = /^cuda(:\d+)?$/.test(device) ? 'this version has no CUDA device of its own' : 'expected cpu';
    throw new BackendError('E_DEVICE_ABSENT', `device ${device}: ${asked}`, {
      hint: 'use device cpu, or backend tfjs-node-gpu, which drives a GPU in fp32',
    });
  }
  if (precision !== 'fp32') {
    throw new BackendError('E_PRECISION_ABSENT', `precision ${precision}: the cpu device stores fp32 only`, {
      hint: 'use precision fp32',
    });
  }
}

/**
 * Starts a backend and makes it TF.js's current one.
 *
 * @throws BackendError E_BACKEND_ABSENT when an optional package is not installed; E_COMPILER_ABSENT or E_COMPILE_FAILED
 *   when `native` was asked for by name and cannot be built
 */
export async function useBackend(options: BackendOptions = {}): Promise<ChosenBackend> {
  const { backend, threads } = options;
  checkDevice(options);
  const cores = threads ?? availableParallelism();
  switch (backend) {
    case 'native':
      return { name: backend, reason: await startHost(threads) };
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
        return { name: 'native', reason: await startHost(threads) };
      } catch (error) {
        if (!(error instanceof BackendError)) throw error;
        return { name: 'wasm', reason: `${await startWasm(cores)}; native is not available: ${error.message}` };
      }
  }
}
