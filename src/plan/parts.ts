import * as tf from '@tensorflow/tfjs-core';
import { STORAGE_BYTES } from '../backend/device.js';
import { NativeBackend } from '../backend/native-backend.js';
import type { Parameter, ParameterStore } from '../model/parameters.js';
import type { PartPlan } from './plan.js';

/** Parameters and bytes of each part; a table that stays in its file takes none. */
export function partPlans(store: ParameterStore): PartPlan[] {
  const bytes = new Map<string, number>();
  for (const parameter of store.list()) {
    const own = isInFile(parameter) ? 0 : parameter.size * STORAGE_BYTES[parameter.storage];
    bytes.set(parameter.part, (bytes.get(parameter.part) ?? 0) + own);
  }
  return store.countByPart().map(({ part, total, trainable }) => ({
    part,
    parameters: total,
    trained: trainable,
    bytes: bytes.get(part) ?? 0,
  }));
}

function isInFile(parameter: Parameter): boolean {
  const backend: unknown = tf.backend();
  return parameter.hasValue && backend instanceof NativeBackend && backend.isTableInFile(parameter.value);
}
