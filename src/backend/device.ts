/** What the backend asks of a device. Addresses and sizes are plain numbers: they stay below 2^53. */

/** How a number lies in device memory. TF.js sees float32 for the first two; bool is stored as i32. */
export type FloatStorage = 'f32' | 'bf16';
export type Storage = FloatStorage | 'i32';

export const STORAGE_BYTES: Readonly<Record<Storage, number>> = { f32: 4, i32: 4, bf16: 2 };

/** Numbers on the host side of a copy; Uint16Array holds the bits of bf16. */
export type HostArray = Float32Array | Int32Array | Uint16Array | Uint8Array;

/**
 * C[batch, m, n] = activation(scale * op(A) op(B) (+ bias[n]) (+ C)), accumulated in fp32; operands are dense, strides are
 * between batch items, in elements.
 */
export interface GemmProblem {
  /** Storage of A and B. */
  readonly storage: FloatStorage;
  /** Storage of C. */
  readonly resultStorage: FloatStorage;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  /** Address of n fp32 values, or 0 for none. */
  readonly bias: number;
  readonly scale: number;
  readonly accumulate: boolean;
  /** `gelu` is the exact one, x Phi(x). */
  readonly activation: 'none' | 'gelu';
  readonly batch: number;
  /** 0 shares one matrix among all items. */
  readonly strideA: number;
  readonly strideB: number;
  readonly strideC: number;
}

/**
 * Attention over q, o [B, T, H, D], k, v [B, capacity, G, D], lse [B, H, T] fp32, keyMask [B, capacity] int32 or address 0.
 * The first `keys` of `capacity` positions take part: k and v may be a cache with room to grow.
 */
export interface AttentionProblem {
  /** Storage of q, k, v, o and their gradients. */
  readonly storage: FloatStorage;
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  /** Positions between one item's keys and the next one's, at least `keys`. */
  readonly capacity: number;
  /** Address of one int32 that holds the number of keys in place of `keys` (then the most there can be), or 0: for recorded work. */
  readonly keyCount: number;
  readonly heads: number;
  readonly groups: number;
  readonly headDim: number;
  /** Query i sees keys j <= i + keys - queries. */
  readonly causal: boolean;
  readonly scale: number;
  readonly q: number;
  readonly k: number;
  readonly v: number;
  readonly keyMask: number;
  readonly o: number;
  readonly lse: number;
}

export interface AttentionGradProblem extends AttentionProblem {
  readonly dy: number;
  readonly dq: number;
  readonly dk: number;
  readonly dv: number;
}

/** Bytes of an opened file. */
export interface FileRange {
  /** The descriptor may be closed once they are mapped. */
  readonly fd: number;
  readonly position: number;
  readonly bytes: number;
}

/** `whole`: every byte will be used, so wait until all are there. `rows`: a few rows will be looked up, let them come as they do. */
export type MappedUse = 'whole' | 'rows';

/** Puts bytes `offset` to `offset + piece.length` of what is copied into `piece`, memory that the device chose. */
export type FillPiece = (piece: Uint8Array, offset: number) => Promise<void>;

export interface DeviceStats {
  /** Kernel launches, matrix products and attention passes since the device was made. */
  readonly launches: number;
  /** Floating-point operations of matrix products and attention, 2 per multiply-add; causal attention counts in full. */
  readonly matmulFlops: number;
  /** Bytes in use now, at most so far, and kept for reuse. Mapped files count where they are used as a whole. */
  readonly liveBytes: number;
  readonly peakBytes: number;
  readonly cachedBytes: number;
}

/** Work that was recorded once and runs again with one call, on the same memory. */
export interface Recording {
  replay(): void;
  /** Frees the record and the memory that was taken while it was made. */
  dispose(): void;
}

export interface Device {
  /** What `mimic doctor` and the start-up lines print. */
  readonly name: string;
  /** `null` computes nothing: it counts, for dry runs. */
  readonly kind: 'host' | 'cuda' | 'null';
  /** A good size for temporary buffers: what the last-level cache (or a small part of device memory) holds. */
  readonly scratchBytes: number;

  /** Reserves memory for at least `bytes`; 0 bytes give address 0. Throws BackendError E_OUT_OF_MEMORY. */
  alloc(bytes: number): number;
  /** Says what lies at an address, for messages about full memory; devices that cannot use it leave it out. */
  describe?(address: number, shape: readonly number[], storage: Storage): void;
  /** Returns memory; `bytes` as given to `alloc`. Launches already queued may still use it. */
  free(address: number, bytes: number): void;
  /** Copies host values to the device. */
  write(address: number, values: HostArray): void;
  /**
   * Fills `bytes` of device memory in pieces, for data that comes from elsewhere than JavaScript's memory: several calls
   * of `fill` are under way at once, and its pieces are device memory itself or what the device copies from. Resolves
   * when every piece is filled and its copy queued; rejects with the first error of `fill` once no call is under way.
   */
  writePieces(address: number, bytes: number, fill: FillPiece): Promise<void>;
  /**
   * Makes bytes of a file device memory without copying them; what is written there later never reaches the file. Resolves
   * to the address, or 0 where it cannot be done. Absent on devices whose memory is not the processor's.
   */
  map?(range: FileRange, use: MappedUse): Promise<number>;
  /** Gives up what `map` gave, with the same size and use. */
  unmap?(address: number, bytes: number, use: MappedUse): void;
  /** Copies from the device into `into`, after all queued work. */
  read(address: number, into: HostArray): void;
  /** Queues the kernel of that name in kernels/*.cu with its parameters in the source's order. Throws BackendError E_KERNEL_UNKNOWN. */
  launch(kernel: string, ...parameters: number[]): void;
  /** Queues a matrix product. */
  gemm(problem: GemmProblem): void;
  /** Queues attention's forward pass: writes o and lse. */
  attention(problem: AttentionProblem): void;
  /** Queues attention's backward pass: reads o and lse, writes dq, dk, dv. */
  attentionGrad(problem: AttentionGradProblem): void;
  /** Waits for all queued work. */
  synchronize(): void;
  /**
   * Runs `work` and keeps what it queued, where the device can. Memory taken inside belongs to the recording; `work` must
   * not read from the device. Absent on devices where a launch is a plain call.
   */
  record?(work: () => void): Recording;
  /** Returns memory that is kept for reuse to the system. Absent where taking it again costs more than it is worth. */
  trim?(): void;
  stats(): DeviceStats;
  /** Returns all memory to the system; the device cannot be used afterwards. */
  dispose(): void;
}

/** 2 per multiply-add. */
export function gemmFlops({ batch, m, n, k }: GemmProblem): number {
  return 2 * batch * m * n * k;
}

/** Two products of [T, D] x [D, S] size per head forward. */
export function attentionFlops({ batch, heads, queries, keys, headDim }: AttentionProblem): number {
  return 4 * batch * heads * queries * keys * headDim;
}
