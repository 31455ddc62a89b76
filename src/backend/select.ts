/** Chooses and starts the TF.js backend. */
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { BackendError } from '../base/errors.js';
import { HostDevice } from './host/host-device.js';
import { NativeBackend } from './native-backend.js';
import { NullDevice } from './null-device.js';
import { registerKernels } from './register/index.js';

export const BACKENDS = ['native', 'wasm', 'tfjs-node', 'tfjs-node-gpu', 'null', 'cpu'] as const;
export type BackendName = (typeof BACKENDS)[number];

export interface BackendOptions {
  /** Default native, or wasm where no C++ compiler works. */
  readonly backend?: BackendName | undefined;
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

/** Registers a NativeBackend over `device` and makes it current; one of that name from before is disposed. */
async function startNative(name: 'native' | 'null', device: HostDevice | NullDevice): Promise<void> {
  if (tf.findBackend(name) !== null) tf.removeBackend(name);
  if (tf.getKernelsForBackend(name).length === 0) registerKernels(name);
  tf.registerBackend(name, () => new NativeBackend(device));
  await start(name);
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
  const device = await HostDevice.create({ threads });
  await startNative('native', device);
  return device.name;
}

/**
 * Starts a backend and makes it TF.js's current one.
 *
 * @throws BackendError E_BACKEND_ABSENT when an optional package is not installed; E_COMPILER_ABSENT or E_COMPILE_FAILED
 *   when `native` was asked for by name and cannot be built
 */
export async function useBackend(options: BackendOptions = {}): Promise<ChosenBackend> {
  const { backend, threads } = options;
  const cores = threads ?? availableParallelism();
  switch (backend) {
    case 'native':
      return { name: backend, reason: await startHost(threads) };
    case 'null':
      await startNative('null', new NullDevice());
      return { name: backend, reason: 'dry run: shapes and counts only' };
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
