/** The part of NCCL's C interface that we call, unchanged since NCCL 2.4 where nothing else is said. */
import { array, type LibraryHandle, struct } from 'koffi';
import { bindCalls, type Calls, type PrototypeTable } from '../../backend/cuda/prototype.js';

export const NCCL_FUNCTIONS = {
  ncclGetVersion: ['bytes'],
  ncclGetUniqueId: ['bytes'],
  // send, receive, count, type, operation, communicator, stream
  ncclAllReduce: ['uint64', 'uint64', 'uint64', 'int32', 'int32', 'uint64', 'uint64'],
  // the same; the count is that of the result
  ncclReduceScatter: ['uint64', 'uint64', 'uint64', 'int32', 'int32', 'uint64', 'uint64'],
  // send, receive, count of one rank, type, communicator, stream
  ncclAllGather: ['uint64', 'uint64', 'uint64', 'int32', 'uint64', 'uint64'],
  // send, receive, count, type, root, communicator, stream
  ncclBroadcast: ['uint64', 'uint64', 'uint64', 'int32', 'int32', 'uint64', 'uint64'],
  ncclCommGetAsyncError: ['uint64', 'bytes'],
  ncclCommAbort: ['uint64'],
  ncclCommDestroy: ['uint64'],
} as const satisfies PrototypeTable;

/** ncclUniqueId travels by value. */
export const UNIQUE_ID_BYTES = 128;

export const NCCL = { success: 0, inProgress: 7, float32: 7, sum: 0 } as const;

export interface NcclCalls extends Calls<typeof NCCL_FUNCTIONS> {
  commInitRank(communicator: Buffer, size: number, id: Uint8Array, rank: number): number;
  errorString(status: number): string;
}

const UniqueId = struct({ internal: array('uint8', UNIQUE_ID_BYTES) });

export function bindNccl(library: LibraryHandle): NcclCalls {
  const initRank = library.func('ncclCommInitRank', 'int', ['void *', 'int', UniqueId, 'int']);
  const errorString = library.func('ncclGetErrorString', 'const char *', ['int']);
  return {
    ...bindCalls(library, NCCL_FUNCTIONS),
    commInitRank: (communicator, size, id, rank) => Number(initRank(communicator, size, { internal: [...id] }, rank)),
    errorString: (status) => String(errorString(status)),
  };
}
