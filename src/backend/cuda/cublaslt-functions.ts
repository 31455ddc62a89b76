/** cuBLASLt's functions and constants that we use, unchanged from CUDA 11.8 to 13. */
import type { PrototypeTable } from './prototype.js';

export const CUBLASLT_FUNCTIONS = {
  cublasLtCreate: ['bytes'],
  cublasLtDestroy: ['uint64'],
  cublasLtMatmulDescCreate: ['bytes', 'int32', 'int32'],
  cublasLtMatmulDescDestroy: ['uint64'],
  cublasLtMatmulDescSetAttribute: ['uint64', 'int32', 'bytes', 'uint64'],
  cublasLtMatrixLayoutCreate: ['bytes', 'int32', 'uint64', 'uint64', 'int64'],
  cublasLtMatrixLayoutDestroy: ['uint64'],
  cublasLtMatrixLayoutSetAttribute: ['uint64', 'int32', 'bytes', 'uint64'],
  cublasLtMatmulPreferenceCreate: ['bytes'],
  cublasLtMatmulPreferenceDestroy: ['uint64'],
  cublasLtMatmulPreferenceSetAttribute: ['uint64', 'int32', 'bytes', 'uint64'],
  // handle, operation, layouts of A B C D, preference, wanted, results, found
  cublasLtMatmulAlgoGetHeuristic: [
    'uint64',
    'uint64',
    'uint64',
    'uint64',
    'uint64',
    'uint64',
    'uint64',
    'int32',
    'bytes',
    'bytes',
  ],
  // handle, operation, alpha, A, B, beta, C, D (each with its layout), algorithm, workspace and its size, stream
  cublasLtMatmul: [
    'uint64',
    'uint64',
    'bytes',
    'uint64',
    'uint64',
    'uint64',
    'uint64',
    'bytes',
    'uint64',
    'uint64',
    'uint64',
    'uint64',
    'bytes',
    'uint64',
    'uint64',
    'uint64',
  ],
} as const satisfies PrototypeTable;

/** cudaDataType. */
export const DATA_TYPE = { f32: 0, bf16: 14 } as const;
/** cublasComputeType. */
export const COMPUTE = { f32: 68, tf32: 77 } as const;
export const TRANSPOSE = { no: 0, yes: 1 } as const;
export const OPERATION = { transposeA: 3, transposeB: 4, epilogue: 7, biasPointer: 8 } as const;
export const EPILOGUE = { none: 1, bias: 4 } as const;
export const LAYOUT = { batchCount: 5, batchStride: 6 } as const;
export const PREFERENCE = {
  workspaceBytes: 1,
  reductionSchemes: 3,
  alignmentA: 5,
  alignmentB: 6,
  alignmentC: 7,
  alignmentD: 8,
} as const;

/** Parts of a long sum meet in the compute type: others would round partial sums to bf16. */
export const REDUCE_IN_COMPUTE_TYPE = 2;

/** cublasLtMatmulHeuristicResult_t: the algorithm, its workspace size at 64, its state at 72. */
export const HEURISTIC_RESULT_BYTES = 96;
export const ALGORITHM_BYTES = 64;
export const HEURISTIC_WORKSPACE_OFFSET = 64;

export const STATUS_NAMES: Readonly<Record<number, string>> = {
  1: 'CUBLAS_STATUS_NOT_INITIALIZED',
  3: 'CUBLAS_STATUS_ALLOC_FAILED',
  7: 'CUBLAS_STATUS_INVALID_VALUE',
  8: 'CUBLAS_STATUS_ARCH_MISMATCH',
  11: 'CUBLAS_STATUS_MAPPING_ERROR',
  13: 'CUBLAS_STATUS_EXECUTION_FAILED',
  14: 'CUBLAS_STATUS_INTERNAL_ERROR',
  15: 'CUBLAS_STATUS_NOT_SUPPORTED',
  16: 'CUBLAS_STATUS_LICENSE_ERROR',
};
