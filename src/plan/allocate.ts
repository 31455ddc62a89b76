import * as tf from '@tensorflow/tfjs-core';
import { STORAGE_BYTES } from '../backend/device.js';
import { NativeBackend } from '../backend/native-backend.js';
import type { ParameterStore } from '../model/parameters.js';

/**
 * Gives every parameter memory in the storage that it will be loaded into; its values are whatever the device holds.
 *
 * @param hasBase a file will hold the frozen ones, where tables of looked-up rows can stay
 */
export async function allocateParameters(store: ParameterStore, hasBase: boolean): Promise<void> {
  const backend: unknown = tf.backend();
  if (!(backend instanceof NativeBackend)) throw new TypeError('allocateParameters: not a backend of ours');
  for (const parameter of store.list()) {
    if (parameter.hasValue) continue;
    const { size, storage, use, trainable } = parameter;
    const shape = [...parameter.shape];
    const range = { fd: -1, position: 0, bytes: size * STORAGE_BYTES[storage] };
    const staysInFile = hasBase && use === 'rows' && !trainable;
    const inFile = staysInFile ? await backend.makeMapped(shape, storage, range, use) : undefined;
    const info = inFile ?? backend.make(shape, 'float32', storage);
    parameter.value = tf.engine().makeTensorFromTensorInfo(info);
  }
}
