/** Collectives on tensors: straight on the device's memory where the communicator can, through arrays elsewhere. */
import * as tf from '@tensorflow/tfjs-core';
import { NativeBackend } from '../backend/native-backend.js';
import type { Communicator, DeviceFloats } from './communicator.js';

/** Where a float32 tensor lies, when the communicator can work on that memory. */
function deviceFloats(communicator: Communicator, tensor: tf.Tensor): DeviceFloats | undefined {
  const backend: unknown = tf.backend();
  if (!(backend instanceof NativeBackend) || backend.device.kind !== communicator.deviceMemory) return undefined;
  // Data of another backend is moved here by this, too.
  const address = backend.address(tensor);
  return backend.storageOf(tensor) === 'f32' ? { address, length: tensor.size } : undefined;
}

/** A new tensor for the device to write into. */
function uninitialised(length: number): tf.Tensor1D {
  return tf.zeros([length]);
}

/**
 * @param whole n values for each rank
 * @returns the n summed values of this rank
 */
export function reduceScatterSum(communicator: Communicator, whole: tf.Tensor1D): tf.Tensor1D {
  const length = whole.size / communicator.size;
  const from = deviceFloats(communicator, whole);
  if (from === undefined) {
    const part = new Float32Array(length);
    communicator.reduceScatterSum(Float32Array.from(whole.dataSync()), part);
    return tf.tensor1d(part);
  }
  const part = uninitialised(length);
  communicator.reduceScatterSum(from, deviceFloats(communicator, part) ?? notOnDevice());
  return part;
}

/** @returns the ranks' parts one after another */
export function allGather(communicator: Communicator, part: tf.Tensor1D): tf.Tensor1D {
  const length = part.size * communicator.size;
  const from = deviceFloats(communicator, part);
  if (from === undefined) {
    const whole = new Float32Array(length);
    communicator.allGather(Float32Array.from(part.dataSync()), whole);
    return tf.tensor1d(whole);
  }
  const whole = uninitialised(length);
  communicator.allGather(from, deviceFloats(communicator, whole) ?? notOnDevice());
  return whole;
}

function notOnDevice(): never {
  throw new TypeError('a new tensor is not on the device of its backend');
}
