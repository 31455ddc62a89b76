/**
 * A TF.js backend over a `Device`: storage records, reference counts and copies. Kernels are in register/.
 *
 * A float32 tensor is stored as f32 or bf16; TF.js sees float32 either way, since its tape knows no other float (the
 * WebGL backend does the same with half floats). int32 and bool are 4-byte integers.
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
import {
  type Device,
  type FileRange,
  type FloatStorage,
  type HostArray,
  type MappedUse,
  STORAGE_BYTES,
  type Storage,
} from './device.js';

/** A buffer that belongs to a tensor's data and is freed with it (attention's softmax statistics). */
export interface AttachedBuffer {
  readonly address: number;
  readonly bytes: number;
}

interface StorageRecord {
  readonly address: number;
  readonly bytes: number;
  readonly dtype: DataType;
  readonly storage: Storage;
  /** How a file is used that the data lies in. */
  readonly mapped?: MappedUse;
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

/** bf16 is the upper half of a float. */
function floatsOfBf16(bits: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
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
  private readonly records: DataStorage<StorageRecord>;

  /** How frozen weights and activations are to be stored; trained weights and optimizer state are f32 always. */
  workStorage: FloatStorage = 'f32';

  constructor(readonly device: Device) {
    super();
    this.records = new DataStorage<StorageRecord>(this, engine());
  }

  /** A new, uninitialised tensor. */
  make(shape: number[], dtype: DataType, storage: Storage = dtype === 'float32' ? 'f32' : 'i32'): TensorInfo {
    const bytes = util.sizeFromShape(shape) * STORAGE_BYTES[storage];
    const dataId = {};
    const address = this.device.alloc(bytes);
    this.device.describe?.(address, shape, storage);
    this.records.set(dataId, { address, bytes, dtype, storage, refCount: 1 });
    return { dataId, shape, dtype };
  }

  /** A float32 tensor whose data stays in its file; undefined where the device cannot do that, and the caller has to copy. */
  async makeMapped(
    shape: number[],
    storage: FloatStorage,
    range: FileRange,
    mapped: MappedUse,
  ): Promise<TensorInfo | undefined> {
    const address = (await this.device.map?.(range, mapped)) ?? 0;
    if (address === 0) return undefined;
    const dataId = {};
    this.records.set(dataId, { address, bytes: range.bytes, dtype: 'float32', storage, mapped, refCount: 1 });
    return { dataId, shape, dtype: 'float32' };
  }

  /** Whether a tensor is a table in its file, of which memory holds only the rows that were looked up. */
  isTableInFile(x: TensorInfo): boolean {
    return this.records.get(x.dataId).mapped === 'rows';
  }

  storageOf(x: TensorInfo): Storage {
    return this.records.get(x.dataId).storage;
  }

  /** How a float32 tensor is stored. */
  floatStorage(x: TensorInfo): FloatStorage {
    return this.storageOf(x) === 'bf16' ? 'bf16' : 'f32';
  }

  /** A float32 tensor in the given storage: another reference to the same data, or a rounded (widened) copy. */
  inStorage(x: TensorInfo, storage: FloatStorage): TensorInfo {
    if (this.floatStorage(x) === storage) return this.share(x, x.shape);
    const y = this.make(x.shape, 'float32', storage);
    const kernel = storage === 'bf16' ? 'f32_to_bf16' : 'bf16_to_f32';
    this.device.launch(kernel, this.address(x), this.address(y), util.sizeFromShape(x.shape));
    return y;
  }

  /** Runs `use` on a float32 tensor in the given storage; a converted copy lives as long as the call. */
  withStorage<T>(x: TensorInfo, storage: FloatStorage, use: (x: TensorInfo) => T): T {
    const converted = this.inStorage(x, storage);
    try {
      return use(converted);
    } finally {
      this.discard(converted);
    }
  }

  /** The same data under another shape. */
  share(x: TensorInfo, shape: number[]): TensorInfo {
    this.incRef(x.dataId);
    return { dataId: x.dataId, shape, dtype: x.dtype };
  }

  /** Where a tensor's data is. Data of another backend is moved here first. */
  address(x: TensorInfo): number {
    return this.records.get(x.dataId).address;
  }

  attach(x: TensorInfo, buffer: AttachedBuffer): void {
    const record = this.records.get(x.dataId);
    if (record.attached !== undefined) this.device.free(record.attached.address, record.attached.bytes);
    record.attached = buffer;
  }

  attached(x: TensorInfo): AttachedBuffer | undefined {
    return this.records.get(x.dataId).attached;
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
    const { address, bytes, dtype, storage } = this.records.get(dataId);
    const length = bytes / STORAGE_BYTES[storage];
    if (storage === 'bf16') {
      const bits = new Uint16Array(length);
      if (bytes > 0) this.device.read(address, bits);
      return floatsOfBf16(bits);
    }
    const words = dtype === 'float32' ? new Float32Array(length) : new Int32Array(length);
    if (bytes > 0) this.device.read(address, words);
    return dtype === 'bool' ? Uint8Array.from(words) : words;
  }

  override async read(dataId: DataId): Promise<BackendValues> {
    return this.readSync(dataId);
  }

  override disposeData(dataId: DataId, force = false): boolean {
    if (!this.records.has(dataId)) return true;
    const record = this.records.get(dataId);
    record.refCount--;
    if (!force && record.refCount > 0) return false;
    if (record.mapped === undefined) this.device.free(record.address, record.bytes);
    else this.device.unmap?.(record.address, record.bytes, record.mapped);
    if (record.attached !== undefined) this.device.free(record.attached.address, record.attached.bytes);
    this.records.delete(dataId);
    return true;
  }

  override refCount(dataId: DataId): number {
    return this.records.has(dataId) ? this.records.get(dataId).refCount : 0;
  }

  override incRef(dataId: DataId): void {
    this.records.get(dataId).refCount++;
  }

  /** A tensor from bf16 bits, as checkpoints hold them. */
  writeBf16(bits: Uint16Array, shape: number[]): TensorInfo {
    const y = this.make(shape, 'float32', 'bf16');
    if (bits.length > 0) this.device.write(this.address(y), bits);
    return y;
  }

  override numDataIds(): number {
    return this.records.numDataIds();
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
    const storage = dtype === 'float32' ? 'f32' : 'i32';
    const bytes = util.sizeFromShape(shape) * STORAGE_BYTES[storage];
    const address = this.device.alloc(bytes);
    this.device.describe?.(address, shape, storage);
    if (bytes > 0) this.device.write(address, words);
    this.records.set(dataId, { address, bytes, dtype, storage, refCount });
  }
}
