/**
 * The driver's functions that we call, in one table. Names carry the suffix of the version whose parameters are given:
 * these symbols have been exported unchanged from CUDA 11.8 to 13.
 */
import type { PrototypeTable } from './prototype.js';

export const DRIVER_FUNCTIONS = {
  cuInit: ['uint32'],
  cuDriverGetVersion: ['bytes'],
  cuGetErrorName: ['int32', 'bytes'],
  cuGetErrorString: ['int32', 'bytes'],

  cuDeviceGetCount: ['bytes'],
  cuDeviceGet: ['bytes', 'int32'],
  cuDeviceGetName: ['bytes', 'int32', 'int32'],
  cuDeviceTotalMem_v2: ['bytes', 'int32'],
  cuDeviceGetAttribute: ['bytes', 'int32', 'int32'],
  cuDevicePrimaryCtxRetain: ['bytes', 'int32'],
  cuDevicePrimaryCtxRelease_v2: ['int32'],
  cuCtxSetCurrent: ['uint64'],
  cuCtxSynchronize: [],

  cuMemGetInfo_v2: ['bytes', 'bytes'],
  cuMemAlloc_v2: ['bytes', 'uint64'],
  cuMemFree_v2: ['uint64'],
  cuMemHostAlloc: ['bytes', 'uint64', 'uint32'],
  cuMemFreeHost: ['uint64'],
  cuMemcpyHtoDAsync_v2: ['uint64', 'uint64', 'uint64', 'uint64'],
  cuMemcpyDtoHAsync_v2: ['uint64', 'uint64', 'uint64', 'uint64'],

  cuStreamCreate: ['bytes', 'uint32'],
  cuStreamDestroy_v2: ['uint64'],
  cuStreamSynchronize: ['uint64'],
  cuStreamQuery: ['uint64'],
  cuEventCreate: ['bytes', 'uint32'],
  cuEventDestroy_v2: ['uint64'],
  cuEventRecord: ['uint64', 'uint64'],
  cuEventSynchronize: ['uint64'],
  cuEventElapsedTime: ['bytes', 'uint64', 'uint64'],

  cuModuleLoadData: ['bytes', 'bytes'],
  cuModuleUnload: ['uint64'],
  cuModuleGetFunction: ['bytes', 'uint64', 'text'],
  cuFuncGetAttribute: ['bytes', 'int32', 'uint64'],
  cuFuncSetAttribute: ['uint64', 'int32', 'int32'],
  // function, grid x y z, block x y z, shared bytes, stream, parameters, extra
  cuLaunchKernel: [
    'uint64',
    'uint32',
    'uint32',
    'uint32',
    'uint32',
    'uint32',
    'uint32',
    'uint32',
    'uint64',
    'uint64',
    'uint64',
  ],

  cuStreamBeginCapture_v2: ['uint64', 'int32'],
  cuStreamEndCapture: ['uint64', 'bytes'],
  cuGraphInstantiateWithFlags: ['bytes', 'uint64', 'uint64'],
  cuGraphLaunch: ['uint64', 'uint64'],
  cuGraphExecDestroy: ['uint64'],
  cuGraphDestroy: ['uint64'],
} as const satisfies PrototypeTable;
