import { describe, expect, it } from 'vitest';
import { MimicError } from '../../../src/base/errors.js';
import { float32ToBfloat16 } from '../../../src/model/weights/half.js';
import { decodeFeatures, encodeFeatures } from '../../../src/train/features/feature-file.js';
import type { HostFeatures } from '../../../src/train/features/host-features.js';
import { featuresOf, keyOf } from './features-of.js';

const key = keyOf('a');
const fileOf = (features: HostFeatures) => new Uint8Array(Buffer.concat(encodeFeatures('entry', key, features)));
/** In memory of its own, as a file that was read is. */
const copyOf = (bytes: Uint8Array) => new Uint8Array(bytes);

describe("an entry's bytes", () => {
  const video = featuresOf(1);
  const bf16: HostFeatures = {
    ...video,
    spatial_ND: { shape: [4, 5], data: float32ToBfloat16(new Float32Array(20).fill(0.1)) },
  };
  it.each([
    ['a video', video],
    ['bf16 beside fp32', bf16],
    ['a video without the temporal branch', { ...video, temporal_MD: null }],
    ['a picture', { ...video, kind: 'image' as const, temporal_MD: null }],
  ])('give back %s', (_, features) => {
    expect(decodeFeatures('entry', key, fileOf(features))).toEqual(features);
  });

  it('with any bit flipped are refused, or still say the same', () => {
    const bytes = fileOf(featuresOf(2, { rows: 1, width: 2 }));
    const expected = decodeFeatures('entry', key, copyOf(bytes));
    let refused = 0;
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = copyOf(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        expect(decodeFeatures('entry', key, flipped), `bit ${bit}`).toEqual(expected);
      } catch (error) {
        if (!(error instanceof MimicError)) throw error;
        refused++;
      }
    }
    // All but bits of the padding and of metadata that nothing reads.
    expect(refused / (8 * bytes.length)).toBeGreaterThan(0.7);
  });

  it('cut short anywhere, or longer, are refused', () => {
    const bytes = fileOf(video);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeFeatures('entry', key, copyOf(bytes.subarray(0, length)))).toThrow(MimicError);
    }
    const longer = new Uint8Array(bytes.length + 8);
    longer.set(bytes);
    expect(() => decodeFeatures('entry', key, longer)).toThrow(MimicError);
  });

  it('under the key of another video are refused', () => {
    expect(() => decodeFeatures('entry', keyOf('b'), fileOf(video))).toThrow('its checksum is another');
  });
});
