import * as tf from '@tensorflow/tfjs-core';
import { type BackendOptions, checkDevice, useBackend } from '../backend/select.js';
import { log } from '../base/logger.js';

/**
 * Starts a backend unless a fitting one runs already: starting it again would drop the tensors of models loaded before.
 * Prints what was chosen and why.
 *
 * @throws BackendError as `useBackend`
 */
export async function ensureBackend(options: BackendOptions = {}): Promise<void> {
  checkDevice(options);
  const current: string | undefined = tf.getBackend();
  const wanted = options.backend ?? current;
  if (current !== undefined && wanted === current) return;
  const { name, reason } = await useBackend(options);
  log.info(`backend ${name}: ${reason}`);
}
