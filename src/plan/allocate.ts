import * as tf from '@tensorflow/tfjs-core';
import { NativeBackend } from '../backend/native-backend.js';
import type { ParameterStore } from '../model/parameters.js';

/** Gives every parameter memory in the storage that it will be loaded into; its values are whatever the device holds. */
export function allocateParameters(store: ParameterStore): void {
  const backend: unknown = tf.backend();
  if (!(backend instanceof NativeBackend)) throw new TypeError('allocateParameters: not a backend of ours');
  for (const parameter of store.list()) {
    if (parameter.hasValue) continue;
    const info = backend.make([...parameter.shape], 'float32', parameter.storage);
    parameter.value = tf.engine().makeTensorFromTensorInfo(info);
  }
}
