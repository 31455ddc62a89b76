/** What training asks of a group of processes. A rank is a process's number in it, from 0; rank 0 writes files. */

/** float32 values at an address of the device that the tensors live on: of this machine's memory, or of a GPU. */
export interface DeviceFloats {
  readonly address: number;
  /** In floats. */
  readonly length: number;
}

export type HostValues = Float32Array | Float64Array | Uint8Array;
export type Summable = Float32Array | Float64Array | DeviceFloats;
export type Shared = HostValues | DeviceFloats;

/**
 * Collectives: every rank calls the same ones in the same order with buffers of the same kind and size, and each call
 * returns when this rank's part is done.
 *
 * A sum adds in the order of the ranks, `((r0 + r1) + r2) + ...`, so that a run repeats bit for bit with the same number
 * of ranks; NCCL's is the exception (docs/decisions/014).
 *
 * All throw BackendError: E_RANK_DIED, E_COLLECTIVE_TIMEOUT, E_MPI_CALL, E_NCCL_CALL. After one of them only `abort` is left.
 */
export interface Communicator {
  readonly rank: number;
  readonly size: number;
  /** For the start-up lines: library, version, how many ranks. */
  readonly name: string;
  /** The memory that `DeviceFloats` may point to; without one, values travel as arrays. */
  readonly deviceMemory: 'host' | 'cuda' | 'none';
  /** Collectives that this rank has entered: equal on all ranks, or they will wait for each other for ever. */
  readonly collectives: number;

  /** Puts the sum over all ranks into `buffer` of each. */
  allReduceSum(buffer: Summable): void;
  /** Sums `whole`, n values for each rank, and puts the n values that belong to this rank into `part`. */
  reduceScatterSum(whole: Summable, part: Summable): void;
  /** Puts the ranks' parts one after another into `whole` of each. */
  allGather(part: Shared, whole: Shared): void;
  /** The same into `whole` of the root alone; the others give null. */
  gather(part: HostValues, whole: HostValues | null, root: number): void;
  broadcast(buffer: Shared, root: number): void;
  barrier(): void;
  /** Ends all ranks with exit code 1 after printing the reason: for an error that the others do not know of. */
  abort(reason: string): never;
  /** Leaves the group in agreement with the others. */
  dispose(): void;
}
