/** A GPU's primary context, current on this thread, and what the GPU says about itself. */
import { BackendError } from '../../base/errors.js';
import type { Driver } from './driver.js';
import { OutValue } from './prototype.js';

/** CUdevice_attribute. */
const ATTRIBUTES = {
  clockKHz: 13,
  multiprocessors: 16,
  memoryClockKHz: 36,
  memoryBusBits: 37,
  l2Bytes: 38,
  threadsPerMultiprocessor: 39,
  capabilityMajor: 75,
  capabilityMinor: 76,
  sharedBytesPerMultiprocessor: 81,
  /** The most that a block gets when it asks for it. */
  sharedBytesPerBlock: 97,
} as const;

export interface DeviceProperties extends Readonly<Record<keyof typeof ATTRIBUTES, number>> {
  readonly name: string;
  /** Compute capability as 10 * major + minor: 86, 90. */
  readonly sm: number;
  readonly totalBytes: number;
  /** Device memory's peak: what the bus moves at its clock, twice a cycle. */
  readonly bytesPerSecond: number;
}

const NAME_BYTES = 256;

/** Reads the properties of a GPU without creating a context on it. */
export function deviceProperties(driver: Driver, device: number): DeviceProperties {
  const { calls } = driver;
  const out = new OutValue();
  const entries = Object.entries(ATTRIBUTES).map(([key, attribute]) => {
    const status = calls.cuDeviceGetAttribute(out.bytes, attribute, device);
    driver.check(status, 'cuDeviceGetAttribute', `asking GPU ${device} for ${key}`);
    return [key, out.int32] as const;
  });
  const attributes = Object.fromEntries(entries) as Record<keyof typeof ATTRIBUTES, number>;
  const name = Buffer.alloc(NAME_BYTES);
  driver.check(calls.cuDeviceGetName(name, NAME_BYTES, device), 'cuDeviceGetName', `asking GPU ${device} for its name`);
  driver.check(
    calls.cuDeviceTotalMem_v2(out.bytes, device),
    'cuDeviceTotalMem',
    `asking GPU ${device} for its memory size`,
  );
  return {
    ...attributes,
    name: name.toString('utf8', 0, name.indexOf(0)),
    sm: 10 * attributes.capabilityMajor + attributes.capabilityMinor,
    totalBytes: out.uint64,
    bytesPerSecond: 2 * attributes.memoryClockKHz * 1000 * (attributes.memoryBusBits / 8),
  };
}

/** The context that is current on this thread: setting it again would cost a driver call for each of ours. */
let current: Context | undefined;

export class Context {
  readonly properties: DeviceProperties;
  private readonly handle: number;

  /** @throws BackendError E_DEVICE_ABSENT when there is no GPU of that index */
  constructor(
    readonly driver: Driver,
    readonly index: number,
  ) {
    const { calls } = driver;
    const count = driver.deviceCount();
    if (index >= count) {
      throw new BackendError('E_DEVICE_ABSENT', `device cuda:${index}: the driver sees ${count} GPUs, counted from 0`, {
        hint: 'see nvidia-smi; CUDA_VISIBLE_DEVICES limits and renumbers them',
      });
    }
    const out = new OutValue();
    driver.check(calls.cuDeviceGet(out.bytes, index), 'cuDeviceGet', `opening GPU ${index}`);
    this.device = out.int32;
    this.properties = deviceProperties(driver, this.device);
    // The primary context is shared with the libraries (cuBLASLt, NCCL) of this process.
    const status = calls.cuDevicePrimaryCtxRetain(out.bytes, this.device);
    driver.check(status, 'cuDevicePrimaryCtxRetain', `making a context on GPU ${index}, ${this.properties.name}`);
    this.handle = out.uint64;
    this.makeCurrent();
  }
  private readonly device: number;

  makeCurrent(): void {
    if (current === this) return;
    this.driver.check(this.driver.calls.cuCtxSetCurrent(this.handle), 'cuCtxSetCurrent', `using GPU ${this.index}`);
    current = this;
  }

  /** Free and total bytes, all processes together. */
  memory(): { freeBytes: number; totalBytes: number } {
    const free = new OutValue();
    const total = new OutValue();
    this.driver.check(this.driver.calls.cuMemGetInfo_v2(free.bytes, total.bytes), 'cuMemGetInfo', 'asking for memory');
    return { freeBytes: free.uint64, totalBytes: total.uint64 };
  }

  release(): void {
    if (current === this) current = undefined;
    const status = this.driver.calls.cuDevicePrimaryCtxRelease_v2(this.device);
    this.driver.check(status, 'cuDevicePrimaryCtxRelease', `leaving GPU ${this.index}`);
  }
}
