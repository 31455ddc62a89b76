import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as tf from '@tensorflow/tfjs-core';
import { NativeBackend } from '../../src/backend/native-backend.js';

export interface Usage {
  readonly tensors: number;
  /** In use on the device, without what its pool keeps for reuse. */
  readonly deviceBytes: number;
  readonly residentBytes: number;
}

setFlagsFromString('--expose-gc');
const collectGarbage: unknown = runInNewContext('gc');

/** What the process holds once garbage is collected (it moves resident memory by tens of MB otherwise); the current backend must be a native one. */
export function usage(): Usage {
  const backend: unknown = tf.backend();
  if (!(backend instanceof NativeBackend)) throw new TypeError(`usage: ${tf.getBackend()} is not a native backend`);
  if (typeof collectGarbage === 'function') collectGarbage();
  return {
    tensors: tf.memory().numTensors,
    deviceBytes: backend.memory().deviceBytes,
    residentBytes: process.memoryUsage.rss(),
  };
}
