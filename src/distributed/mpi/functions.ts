/**
 * The part of MPI's C interface that we call. Handles (communicators, types, operations, requests) are pointers in
 * Open MPI; counts are C ints.
 */
import type { PrototypeTable } from '../../backend/cuda/prototype.js';

export const MPI_FUNCTIONS = {
  // argc, argv, level of threads wanted, level given
  MPI_Init_thread: ['uint64', 'uint64', 'int32', 'bytes'],
  MPI_Initialized: ['bytes'],
  MPI_Finalize: [],
  MPI_Abort: ['uint64', 'int32'],
  MPI_Comm_set_errhandler: ['uint64', 'uint64'],
  MPI_Comm_rank: ['uint64', 'bytes'],
  MPI_Comm_size: ['uint64', 'bytes'],
  MPI_Error_string: ['int32', 'bytes', 'bytes'],
  // bytes, info, address of the memory
  MPI_Alloc_mem: ['int64', 'uint64', 'bytes'],
  MPI_Free_mem: ['uint64'],

  // send, count, type, receive, count, type, communicator, request
  MPI_Ialltoall: ['uint64', 'int32', 'uint64', 'uint64', 'int32', 'uint64', 'uint64', 'bytes'],
  MPI_Iallgather: ['uint64', 'int32', 'uint64', 'uint64', 'int32', 'uint64', 'uint64', 'bytes'],
  // send, count, type, receive, count, type, root, communicator, request
  MPI_Igather: ['uint64', 'int32', 'uint64', 'uint64', 'int32', 'uint64', 'int32', 'uint64', 'bytes'],
  // buffer, count, type, root, communicator, request
  MPI_Ibcast: ['uint64', 'int32', 'uint64', 'int32', 'uint64', 'bytes'],
  MPI_Ibarrier: ['uint64', 'bytes'],
  // request, whether it is done, status
  MPI_Test: ['bytes', 'bytes', 'uint64'],
  // added, sum, count, type, operation
  MPI_Reduce_local: ['uint64', 'uint64', 'int32', 'uint64', 'uint64'],
} as const satisfies PrototypeTable;

/** Predefined handles: in Open MPI each is the address of a variable. */
export const MPI_HANDLES = {
  world: 'ompi_mpi_comm_world',
  float: 'ompi_mpi_float',
  double: 'ompi_mpi_double',
  byte: 'ompi_mpi_byte',
  sum: 'ompi_mpi_op_sum',
  errorsReturn: 'ompi_mpi_errors_return',
  infoNull: 'ompi_mpi_info_null',
} as const;
