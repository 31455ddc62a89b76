import * as tf from '@tensorflow/tfjs-core';
import { CudaDevice } from '../backend/cuda/cuda-device.js';
import type { LibrarySearch } from '../backend/cuda/find-libraries.js';
import { isLoaded, loadLibrary } from '../backend/cuda/load-libraries.js';
import { NativeBackend } from '../backend/native-backend.js';
import { log } from '../base/logger.js';
import type { Communicator } from './communicator.js';
import { NcclCommunicator } from './nccl/nccl-communicator.js';
import { collectiveTimeoutSec } from './wait.js';

/**
 * The communicator for the backend that was started: with NCCL when every rank computes on a GPU and has it. Where one
 * lacks it, all go through MPI and host memory, with a warning. A collective.
 */
export function withNccl(control: Communicator, search: LibrarySearch = {}): Communicator {
  if (control.size === 1) return control;
  const backend: unknown = tf.backend();
  const device = backend instanceof NativeBackend && backend.device instanceof CudaDevice ? backend.device : undefined;
  const library = device === undefined ? undefined : loadLibrary('nccl', search);
  const have = Float64Array.of(device === undefined ? 0 : 1, library !== undefined && isLoaded(library) ? 1 : 0);
  control.allReduceSum(have);
  const [gpus = 0, libraries = 0] = have;
  if (device !== undefined && libraries === control.size) {
    return NcclCommunicator.open({ control, device, timeoutSec: collectiveTimeoutSec(), search });
  }
  if (gpus > 0 && control.rank === 0) {
    const lacking =
      gpus < control.size ? `${control.size - gpus} ranks have no GPU` : `${control.size - libraries} lack NCCL`;
    log.warn(`gradients go through host memory and MPI, which is slower: ${lacking} (mimic doctor)`);
  }
  return control;
}
