/** The CUDA driver API: its functions as typed calls, its status codes as errors that say what was attempted. */
import { decode, type LibraryHandle, proto } from 'koffi';
import { BackendError } from '../../base/errors.js';
import { DRIVER_FUNCTIONS } from './driver-functions.js';
import type { LibrarySearch } from './find-libraries.js';
import { type LoadedLibrary, requireLibrary } from './load-libraries.js';
import { type Calls, koffiTypes, OutValue, type ParameterKind } from './prototype.js';

export type DriverCalls = Calls<typeof DRIVER_FUNCTIONS>;

/** As cuDriverGetVersion counts: 1000 a release, 10 a minor one. */
const OLDEST_VERSION = 11080;
const OUT_OF_MEMORY = 2;
const NO_DEVICE = 100;
/** After these the context answers every call with the same error: memory faults, hangs, hardware. */
const STICKY = new Set([214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719]);

export function versionText(version: number): string {
  return `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
}

type AnyFunction = (...parameters: unknown[]) => unknown;

/** cuGetProcAddress of the loaded driver: version 2 since CUDA 12, version 1 since 11.3. */
function symbolResolver(handle: LibraryHandle): (symbol: string) => bigint {
  const kinds = ['const char *', 'void *', 'int', 'uint64'];
  const address = new OutValue();
  const status = new OutValue();
  let ask: (name: string) => unknown;
  try {
    const v2: AnyFunction = handle.func('cuGetProcAddress_v2', 'int', [...kinds, 'void *']);
    ask = (name) => v2(name, address.bytes, OLDEST_VERSION, 0, status.bytes);
  } catch {
    try {
      const v1: AnyFunction = handle.func('cuGetProcAddress', 'int', kinds);
      ask = (name) => v1(name, address.bytes, OLDEST_VERSION, 0);
    } catch {
      return () => 0n; // older than 11.3; the version check explains
    }
  }
  return (symbol) => {
    address.bytes.fill(0);
    return ask(symbol.replace(/_v\d$/, '')) === 0 ? address.bytes.readBigUInt64LE() : 0n;
  };
}

/** The driver resolves a name to the version that CUDA 11.8 knew; where it cannot, the loader finds the exact symbol. */
function resolve(handle: LibraryHandle): DriverCalls {
  const find = symbolResolver(handle);
  const bind = ([name, parameters]: [string, readonly ParameterKind[]]): [string, AnyFunction] => {
    const address = find(name);
    if (address !== 0n) return [name, decode(address, proto('int', koffiTypes(parameters)))];
    try {
      return [name, handle.func(name, 'int', koffiTypes(parameters))];
    } catch (cause) {
      throw new BackendError('E_CUDA_SYMBOL', `cuda: the driver library has no function ${name}`, {
        hint: 'install an NVIDIA driver for CUDA 11.8 or newer (520 or newer)',
        cause,
      });
    }
  };
  return Object.fromEntries(Object.entries(DRIVER_FUNCTIONS).map(bind)) as DriverCalls;
}

export class Driver {
  /** As 12080 for CUDA 12.8: the newest that this driver runs. */
  readonly version: number;

  private constructor(
    readonly library: LoadedLibrary,
    readonly calls: DriverCalls,
  ) {
    this.check(calls.cuInit(0), 'cuInit', 'starting the driver');
    const version = new OutValue();
    this.check(calls.cuDriverGetVersion(version.bytes), 'cuDriverGetVersion', 'asking for its version');
    this.version = version.int32;
    if (this.version < OLDEST_VERSION) {
      throw new BackendError(
        'E_CUDA_DRIVER_OLD',
        `cuda: the driver runs CUDA ${versionText(this.version)}, expected 11.8 or newer`,
        { hint: 'install an NVIDIA driver 520 or newer' },
      );
    }
  }

  /** @throws BackendError E_LIBRARY_ABSENT, E_CUDA_SYMBOL, E_CUDA_DRIVER_OLD, E_CUDA_NO_DEVICE */
  static open(search: LibrarySearch = {}): Driver {
    const library = requireLibrary('cuda', search);
    return new Driver(library, resolve(library.handle));
  }

  deviceCount(): number {
    const count = new OutValue();
    this.check(this.calls.cuDeviceGetCount(count.bytes), 'cuDeviceGetCount', 'counting GPUs');
    return count.int32;
  }

  /** @param meaning what the call was for, with its figures */
  check(status: number, call: string, meaning: string): void {
    if (status !== 0) throw this.error(status, call, meaning);
  }

  error(status: number, call: string, meaning: string): BackendError {
    const name = this.describe('cuGetErrorName', status) ?? `CUresult ${status}`;
    const text = this.describe('cuGetErrorString', status);
    const message = `cuda: ${call} failed with ${name}${text === undefined ? '' : ` (${text})`} while ${meaning}`;
    const context = { status, name, call };
    if (STICKY.has(status)) {
      return new BackendError('E_CUDA_CRASHED', `${message}; the GPU's state is lost`, {
        hint: 'start the process again: the last checkpoint is intact, and training resumes from it; CUDA_LAUNCH_BLOCKING=1 shows which kernel failed',
        context,
      });
    }
    if (status === OUT_OF_MEMORY) return new BackendError('E_OUT_OF_MEMORY', message, { context });
    if (status === NO_DEVICE) {
      return new BackendError('E_CUDA_NO_DEVICE', message, {
        hint: 'check nvidia-smi and CUDA_VISIBLE_DEVICES; in a container, start it with --gpus all',
        context,
      });
    }
    return new BackendError('E_CUDA_CALL', message, { context });
  }

  /** The driver's own words for a status; they live in its memory. */
  private describe(call: 'cuGetErrorName' | 'cuGetErrorString', status: number): string | undefined {
    const text = new OutValue();
    if (this.calls[call](status, text.bytes) !== 0 || text.uint64 === 0) return undefined;
    return decode.string(text.bytes.readBigUInt64LE());
  }
}
