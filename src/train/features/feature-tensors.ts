/** Features from the device to the host and back, bit for bit. */
import * as tf from '@tensorflow/tfjs-core';
import { STORAGE_BYTES } from '../../backend/device.js';
import { NativeBackend } from '../../backend/native-backend.js';
import { VideoFeatures } from '../../model/video-features.js';
import { bfloat16ToFloat32 } from '../../model/weights/half.js';
import type { FeatureArray, HostFeatures } from './host-features.js';

export function toHost({ kind, spatial_ND, temporal_MD }: VideoFeatures): HostFeatures {
  return { kind, spatial_ND: read(spatial_ND), temporal_MD: temporal_MD === null ? null : read(temporal_MD) };
}

/** Device memory of both tensors. */
export function byteLength({ spatial_ND, temporal_MD }: VideoFeatures): number {
  const backend: unknown = tf.backend();
  const bytesOf = (x: tf.Tensor) =>
    x.size * (backend instanceof NativeBackend ? STORAGE_BYTES[backend.floatStorage(x)] : STORAGE_BYTES.f32);
  return bytesOf(spatial_ND) + (temporal_MD === null ? 0 : bytesOf(temporal_MD));
}

/** The caller disposes the result. */
export function toDevice({ kind, spatial_ND, temporal_MD }: HostFeatures): VideoFeatures {
  return new VideoFeatures(upload(spatial_ND), temporal_MD === null ? null : upload(temporal_MD), kind);
}

function read(x: tf.Tensor2D): FeatureArray {
  const backend: unknown = tf.backend();
  if (!(backend instanceof NativeBackend) || backend.floatStorage(x) === 'f32') {
    return { shape: x.shape, data: x.dataSync<'float32'>() };
  }
  const bits = new Uint16Array(x.size);
  backend.device.read(backend.address(x), bits);
  return { shape: x.shape, data: bits };
}

function upload({ shape: [rows, width], data }: FeatureArray): tf.Tensor2D {
  if (data instanceof Float32Array) return tf.tensor2d(data, [rows, width], 'float32');
  const backend: unknown = tf.backend();
  if (backend instanceof NativeBackend) {
    return tf.engine().makeTensorFromTensorInfo(backend.writeBf16(data, [rows, width])) as tf.Tensor2D;
  }
  const values = new Float32Array(data.length);
  bfloat16ToFloat32(data, values);
  return tf.tensor2d(values, [rows, width], 'float32');
}
