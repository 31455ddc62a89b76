import * as tf from '@tensorflow/tfjs-core';
import { type BackendOptions, checkDevice, useBackend } from '../backend/select.js';
import { log } from '../base/logger.js';

/**
 * Starts a backend and prints what was chosen and why. One that runs already is kept unless the options ask for something
 * of their own: another one would hold other tensors than those of models loaded before.
 *
 * @throws BackendError as `useBackend`
 */
export async function ensureBackend(options: BackendOptions = {}): Promise<void> {
  checkDevice(options);
  const current: string | undefined = tf.getBackend();
  const { backend = current, device, precision } = options;
  if (current !== undefined && backend === current && device === undefined && precision === undefined) return;
  const { name, reason } = await useBackend(options);
  log.info(`backend ${name}: ${reason}`);
}
