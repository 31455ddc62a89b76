import { totalmem } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { NativeBackend } from '../../backend/native-backend.js';

export interface MemoryUse {
  /** Of a GPU: its tensors and what is kept for reuse. Of the processor: what this process holds. */
  readonly usedBytes: number;
  readonly limitBytes: number;
}

/** Memory of the device that trains; microseconds. */
export function memoryUse(): MemoryUse {
  const backend: unknown = tf.backend();
  if (backend instanceof NativeBackend && backend.device.kind === 'cuda') {
    const { liveBytes, cachedBytes } = backend.device.stats();
    return { usedBytes: liveBytes + cachedBytes, limitBytes: gpuBytes(backend.device) };
  }
  return { usedBytes: process.memoryUsage.rss(), limitBytes: processorBytes() };
}

/** A container may allow less than the machine has; 0 or a huge number stand for no limit. */
export function processorBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

function gpuBytes(device: object): number {
  const properties: unknown = 'properties' in device ? device.properties : undefined;
  if (typeof properties !== 'object' || properties === null || !('totalBytes' in properties)) return Number.NaN;
  return Number(properties.totalBytes);
}
