/** What the frozen encoders are, as they lie in the device's memory. */
import { createHash } from 'node:crypto';
import * as tf from '@tensorflow/tfjs-core';
import { NativeBackend } from '../../backend/native-backend.js';
import type { MimicChatModel } from '../../model/mimic-chat.js';
import type { Parameter } from '../../model/parameters.js';

/** Bytes read from the device at once: what fits into a core's cache is copied and hashed without waiting for memory. */
const PIECE_BYTES = 2 ** 20;

export const isEncoderParameter = ({ part }: Parameter): boolean => part.endsWith('encoder');

/**
 * SHA-256 over name, shape, storage and bytes of every encoder parameter, whatever file they came from: published weights,
 * a checkpoint of them and fresh ones of the same seed are told apart by their values alone.
 *
 * Read in pieces; about 1 s a GB on a core with SHA instructions, so 1 s for the 8B model's encoders in bf16 and 2 s in fp32.
 */
export function encoderHash({ parameters }: Pick<MimicChatModel, 'parameters'>): string {
  const hash = createHash('sha256');
  const encoders = parameters.list().filter(isEncoderParameter);
  for (const { name, shape, value } of encoders.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const backend: unknown = tf.backend();
    const storage = backend instanceof NativeBackend ? backend.floatStorage(value) : 'f32';
    hash.update(`${name}\0${shape}\0${storage}\0`);
    for (const bytes of bytesOf(value, storage === 'bf16' ? 2 : 4)) hash.update(bytes);
  }
  return hash.digest('hex');
}

function* bytesOf(x: tf.Tensor, elementBytes: number): Generator<Uint8Array> {
  const backend: unknown = tf.backend();
  if (!(backend instanceof NativeBackend)) {
    const values = x.dataSync();
    yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return;
  }
  const address = backend.address(x);
  const total = x.size * elementBytes;
  const buffer = new Uint8Array(Math.min(PIECE_BYTES, total));
  for (let done = 0; done < total; done += PIECE_BYTES) {
    const piece = buffer.subarray(0, total - done);
    backend.device.read(address + done, piece);
    yield piece;
  }
}
