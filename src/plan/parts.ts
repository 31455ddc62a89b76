import { STORAGE_BYTES } from '../backend/device.js';
import type { ParameterStore } from '../model/parameters.js';
import type { PartPlan } from './plan.js';

/** Parameters and bytes of each part. */
export function partPlans(store: ParameterStore): PartPlan[] {
  const bytes = new Map<string, number>();
  for (const { part, size, storage } of store.list()) {
    bytes.set(part, (bytes.get(part) ?? 0) + size * STORAGE_BYTES[storage]);
  }
  return store.countByPart().map(({ part, total, trainable }) => ({
    part,
    parameters: total,
    trained: trainable,
    bytes: bytes.get(part) ?? 0,
  }));
}
