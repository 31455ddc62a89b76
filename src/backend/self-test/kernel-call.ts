/** One launch of a kernel with everything it reads, and what it must write: the unit of the self-test. */
import { Rng } from '../../base/rng.js';
import { type Device, type FloatStorage, STORAGE_BYTES, type Storage } from '../device.js';
import { bf16Name } from '../signatures.js';
import { roundToBf16 } from './bf16.js';
import { upload } from './device-array.js';
import { DeviceMemory } from './device-memory.js';

export type Values = Float32Array | Int32Array;

/** `stored` is f32 or bf16, as the variant of the kernel that runs. */
export type BufferType = Storage | 'stored';

/** Device memory that the kernel gets; it is read back when `isResult`. */
export interface KernelBuffer {
  readonly type: BufferType;
  readonly isResult: boolean;
  /** What it holds before; results that the kernel only writes start as a pattern that no right answer has. */
  readonly values: Values;
  /** In place of `values`: made from the addresses of the call's linked buffers. As long as `values`. */
  readonly pointing?: (addresses: readonly number[]) => Int32Array;
}

export type KernelArgument = number | KernelBuffer;

export interface KernelCall {
  readonly kernel: string;
  /** What distinguishes it from the kernel's other calls. */
  readonly shape: string;
  readonly args: readonly KernelArgument[];
  /** Buffers that the kernel finds through a table of addresses. */
  readonly linked?: readonly KernelBuffer[];
  /**
   * The results in float64, in the order of the result buffers (linked ones last), from the values of all buffers before the call, rounded as
   * they are stored.
   */
  readonly expected: (...buffers: Values[]) => readonly ArrayLike<number>[];
  /** Largest error of an f32 result, by `errorOf`. Results in bf16 may also be off by one rounding. Default F32_TOLERANCE. */
  readonly tolerance?: number;
}

/** Sums of some thousand terms in one float: measured 4.3e-6 (running sums of 1500) on the host over MANY_SHAPES. */
export const F32_TOLERANCE = 4e-5;
/** Half a unit in the last place of bf16, relative to the smallest number that has it; the f32 before it may sit across a tie. */
export const BF16_ROUNDING = 2 ** -8 * 1.01;

const rng = new Rng(11, 'self-test');

/** Normal deviates. */
export function normals(length: number): Float32Array {
  return Float32Array.from({ length }, () => rng.normal());
}
/** At least 0.1. */
export function positives(length: number): Float32Array {
  return normals(length).map((value) => Math.abs(value) + 0.1);
}
/** Integers in [low, high). */
export function integers(length: number, low: number, high: number): Int32Array {
  return Int32Array.from({ length }, () => low + rng.int(high - low));
}

export const given = (values: Values): KernelBuffer => ({
  type: values instanceof Int32Array ? 'i32' : 'f32',
  isResult: false,
  values,
});
export const givenStored = (values: Float32Array): KernelBuffer => ({ type: 'stored', isResult: false, values });
/** Read and written. */
export const changed = (values: Values): KernelBuffer => ({ ...given(values), isResult: true });

const UNWRITTEN = -12345;
export const result = (length: number): KernelBuffer => changed(new Float32Array(length).fill(UNWRITTEN));
export const resultInts = (length: number): KernelBuffer => changed(new Int32Array(length).fill(UNWRITTEN));
export const givenBf16 = (values: Float32Array): KernelBuffer => ({ type: 'bf16', isResult: false, values });
export const resultBf16 = (length: number): KernelBuffer => ({ ...result(length), type: 'bf16' });
export const resultStored = (length: number): KernelBuffer => ({ ...result(length), type: 'stored' });

function isBuffer(argument: KernelArgument): argument is KernelBuffer {
  return typeof argument !== 'number';
}

function buffersOf({ args, linked = [] }: KernelCall): KernelBuffer[] {
  return [...args.filter(isBuffer), ...linked];
}

function storageOf({ type }: KernelBuffer, storage: FloatStorage): Storage {
  return type === 'stored' ? storage : type;
}

/** Whether the kernel has a bf16 variant: one of its buffers is `stored`. */
export function isStored(call: KernelCall): boolean {
  return buffersOf(call).some(({ type }) => type === 'stored');
}

export function launchName(call: KernelCall, storage: FloatStorage): string {
  return storage === 'bf16' ? bf16Name(call.kernel) : call.kernel;
}

/** Launches the call and returns its results. */
export function runCall(device: Device, call: KernelCall, storage: FloatStorage): Values[] {
  const buffers = buffersOf(call);
  const memory = new DeviceMemory(device);
  try {
    const addresses = new Map<KernelArgument, number>();
    for (const buffer of buffers) {
      const bytes = buffer.values.length * STORAGE_BYTES[storageOf(buffer, storage)];
      addresses.set(buffer, memory.alloc(bytes));
    }
    const addressOf = (buffer: KernelArgument) => addresses.get(buffer) ?? 0;
    const linked = (call.linked ?? []).map(addressOf);
    for (const buffer of buffers) {
      const values = buffer.pointing?.(linked) ?? buffer.values;
      upload(device, addressOf(buffer), values, storageOf(buffer, storage));
    }
    const parameters = call.args.map((argument) => (isBuffer(argument) ? addressOf(argument) : argument));
    device.launch(launchName(call, storage), ...parameters);
    const results = buffers.filter(({ isResult }) => isResult);
    return results.map((buffer) => memory.get(addressOf(buffer), buffer.values.length, storageOf(buffer, storage)));
  } finally {
    memory.dispose();
  }
}

/** The results that the definition gives. */
export function expectedOf(call: KernelCall, storage: FloatStorage): readonly ArrayLike<number>[] {
  const buffers = buffersOf(call).map((buffer) => {
    if (storageOf(buffer, storage) !== 'bf16' || !(buffer.values instanceof Float32Array)) return buffer.values;
    return roundToBf16(buffer.values);
  });
  return call.expected(...buffers);
}

/** Largest error that each result may have. */
export function tolerancesOf(call: KernelCall, storage: FloatStorage): number[] {
  const { tolerance = F32_TOLERANCE } = call;
  return buffersOf(call)
    .filter(({ isResult }) => isResult)
    .map((buffer) => {
      if (storageOf(buffer, storage) === 'i32') return 0;
      return storageOf(buffer, storage) === 'bf16' && tolerance > 0 ? BF16_ROUNDING + tolerance : tolerance;
    });
}
