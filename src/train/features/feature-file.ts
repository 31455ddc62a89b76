/** One entry of the feature cache: a safetensors file with a checksum over everything that is read from it. */
import { createHash } from 'node:crypto';
import { DataError } from '../../base/errors.js';
import { decodeSafetensors, encodeSafetensors, type TensorValues } from '../../model/weights/safetensors-bytes.js';
import type { FeatureArray, HostFeatures } from './host-features.js';

const FORMAT = 'mimic-features';
const SPATIAL = 'spatial_ND';
const TEMPORAL = 'temporal_MD';

/** The file's bytes, in pieces to be written one after the other. */
export function encodeFeatures(path: string, key: string, features: HostFeatures): Uint8Array[] {
  const { kind, spatial_ND, temporal_MD } = features;
  const entries = [entryOf(SPATIAL, spatial_ND), ...(temporal_MD === null ? [] : [entryOf(TEMPORAL, temporal_MD)])];
  const sha256 = checksum(key, kind, entries);
  return encodeSafetensors(path, entries, { format: FORMAT, key, kind, sha256 });
}

/**
 * @param bytes the whole file
 * @throws DataError E_FEATURE_ENTRY when it is not what was written under this key, CheckpointError E_SAFETENSORS_* when it is
 *   no safetensors file
 */
export function decodeFeatures(path: string, key: string, bytes: Uint8Array<ArrayBuffer>): HostFeatures {
  const { tensors, metadata } = decodeSafetensors(path, bytes);
  const kind = metadata.get('kind');
  const entries = Array.from(tensors, ([name, values]) => ({ name, ...values }));
  if (kind !== 'video' && kind !== 'image') throw damaged(path, 'it does not say whether a video or a picture');
  if (metadata.get('sha256') !== checksum(key, kind, entries)) throw damaged(path, 'its checksum is another');
  const spatial_ND = tensors.get(SPATIAL);
  const temporal_MD = tensors.get(TEMPORAL);
  if (spatial_ND === undefined) throw damaged(path, `no tensor ${SPATIAL}`);
  return {
    kind,
    spatial_ND: arrayOf(path, spatial_ND),
    temporal_MD: temporal_MD === undefined ? null : arrayOf(path, temporal_MD),
  };
}

function entryOf(name: string, { shape, data }: FeatureArray) {
  return { name, dtype: data instanceof Float32Array ? ('F32' as const) : ('BF16' as const), shape, data };
}

/** Of names, types and shapes too: a flipped bit in the header must not turn values into other ones. */
function checksum(key: string, kind: string, tensors: readonly ({ readonly name: string } & TensorValues)[]): string {
  const sorted = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));
  const hash = createHash('sha256');
  hash.update(JSON.stringify([FORMAT, key, kind, sorted.map(({ name, dtype, shape }) => [name, dtype, shape])]));
  for (const { data } of sorted) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest('hex');
}

function arrayOf(path: string, { shape, data }: TensorValues): FeatureArray {
  const [rows, width] = shape;
  const isFloat = data instanceof Float32Array || data instanceof Uint16Array;
  if (!isFloat || rows === undefined || width === undefined || shape.length !== 2) {
    throw damaged(path, `a tensor of shape [${shape}], expected a float matrix`);
  }
  return { shape: [rows, width], data };
}

function damaged(path: string, problem: string): DataError {
  return new DataError('E_FEATURE_ENTRY', `${path}: not the cached features that it should be: ${problem}.`);
}
