/**
 * A TF.js backend over a `Device`: storage records, reference counts and copies. Kernels are in register/.
 *
 * float32, int32 and bool tensors are all stored as 4-byte words (a bool is 0 or 1), so kernels that move data serve
 * every dtype.
 */
import {
  type BackendTimingInfo,
  type BackendValues,
  type DataId,
  DataStorage,
  type DataType,
  engine,
  KernelBackend,
  type TensorInfo,
  util,
} from '@tensorflow/tfjs-core';
import { BackendError } from '../base/errors.js';
import type { Device, HostArray } from './device.js';

const WORD_BYTES = 4;

/** A buffer that belongs to a tensor's data and is freed with it (attention's softmax statistics). */
export interface AttachedBuffer {
  readonly address: number;
  readonly bytes: number;
}

interface StorageRecord {
  readonly address: number;
  readonly bytes: number;
  readonly dtype: DataType;
  refCount: number;
  attached?: AttachedBuffer;
}

/** Device memory in use, published through tf.memory(). */
export interface NativeMemoryInfo {
  unreliable: boolean;
  deviceBytes: number;
  peakBytes: number;
  cachedBytes: number;
}

function wordsOf(values: BackendValues, dtype: DataType): HostArray {
  if (dtype === 'float32') {
    if (values instanceof Float32Array) return values;
    if (values instanceof Int32Array || values instanceof Uint8Array) return Float32Array.from(values);
  } else if (dtype === 'int32' || dtype === 'bool') {
    if (values instanceof Int32Array) return values;
    if (values instanceof Float32Array || values instanceof Uint8Array) return Int32Array.from(values);
  }
  throw new BackendError(
    'E_DTYPE_UNSUPPORTED',
    `native backend: cannot store a ${dtype} tensor; it holds float32, int32 and bool`,
  );
}

export class NativeBackend extends KernelBackend {
  private readonly storage: DataStorage<StorageRecord>;

  constructor(readonly device: Device) {
    super();
    this.storage = new DataStorage<StorageRecord>(this, engine());
  }

  /** A new, uninitialised tensor. */
  make(shape: number[], dtype: DataType): TensorInfo {
    const bytes = util.sizeFromShape(shape) * WORD_BYTES;
    const dataId = {};
    this.storage.set(dataId, { address: this.device.alloc(bytes), bytes, dtype, refCount: 1 });
    return { dataId, shape, dtype };
  }

  /** The same data under another shape. */
  share(x: TensorInfo, shape: number[]): TensorInfo {
    this.incRef(x.dataId);
    return { dataId: x.dataId, shape, dtype: x.dtype };
  }

  /** Where a tensor's data is. Data of another backend is moved here first. */
  address(x: TensorInfo): number {
    return this.storage.get(x.dataId).address;
  }

  attach(x: TensorInfo, buffer: AttachedBuffer): void {
    const record = this.storage.get(x.dataId);
    if (record.attached !== undefined) this.device.free(record.attached.address, record.attached.bytes);
    record.attached = buffer;
  }

  attached(x: TensorInfo): AttachedBuffer | undefined {
    return this.storage.get(x.dataId).attached;
  }

  /** Runs `use` with a temporary buffer. */
  withScratch<T>(bytes: number, use: (address: number) => T): T {
    const address = this.device.alloc(bytes);
    try {
      return use(address);
    } finally {
      this.device.free(address, bytes);
    }
  }

  /** Frees an intermediate result that no tensor will own. */
  discard(x: TensorInfo): void {
    this.disposeData(x.dataId);
  }

  /** An int32 or bool tensor's values on the host. */
  readInts(x: TensorInfo): Int32Array {
    const values = new Int32Array(util.sizeFromShape(x.shape));
    this.device.read(this.address(x), values);
    return values;
  }

  override write(values: BackendValues, shape: number[], dtype: DataType): DataId {
    const dataId = {};
    this.store(dataId, values, shape, dtype, 1);
    return dataId;
  }

  override move(dataId: DataId, values: BackendValues, shape: number[], dtype: DataType, refCount: number): void {
    this.store(dataId, values, shape, dtype, refCount);
  }

  override readSync(dataId: DataId): BackendValues {
    const { address, bytes, dtype } = this.storage.get(dataId);
    const words = dtype === 'float32' ? new Float32Array(bytes / WORD_BYTES) : new Int32Array(bytes / WORD_BYTES);
    if (bytes > 0) this.device.read(address, words);
    return dtype === 'bool' ? Uint8Array.from(words) : words;
  }

  override async read(dataId: DataId): Promise<BackendValues> {
    return this.readSync(dataId);
  }

  override disposeData(dataId: DataId, force = false): boolean {
    if (!this.storage.has(dataId)) return true;
    const record = this.storage.get(dataId);
    record.refCount--;
    if (!force && record.refCount > 0) return false;
    this.device.free(record.address, record.bytes);
    if (record.attached !== undefined) this.device.free(record.attached.address, record.attached.bytes);
    this.storage.delete(dataId);
    return true;
  }

  override refCount(dataId: DataId): number {
    return this.storage.has(dataId) ? this.storage.get(dataId).refCount : 0;
  }

  override incRef(dataId: DataId): void {
    this.storage.get(dataId).refCount++;
  }

  override numDataIds(): number {
    return this.storage.numDataIds();
  }

  override memory(): NativeMemoryInfo {
    const { liveBytes, peakBytes, cachedBytes } = this.device.stats();
    return { unreliable: false, deviceBytes: liveBytes, peakBytes, cachedBytes };
  }

  override timerAvailable(): boolean {
    return true;
  }

  override async time(query: () => void): Promise<BackendTimingInfo> {
    this.device.synchronize();
    const start = performance.now();
    query();
    this.device.synchronize();
    return { kernelMs: performance.now() - start };
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override dispose(): void {
    this.device.dispose();
  }

  private store(dataId: DataId, values: BackendValues, shape: number[], dtype: DataType, refCount: number): void {
    const words = wordsOf(values, dtype);
    const bytes = util.sizeFromShape(shape) * WORD_BYTES;
    const address = this.device.alloc(bytes);
    if (bytes > 0) this.device.write(address, words);
    this.storage.set(dataId, { address, bytes, dtype, refCount });
  }
}
