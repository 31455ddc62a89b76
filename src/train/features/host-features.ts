/** Features outside the device: what a cache keeps of them. */

export interface FeatureArray {
  readonly shape: readonly [rows: number, width: number];
  /** float32 values, or bf16 as bit patterns: as the device stores them, so nothing is rounded. */
  readonly data: Float32Array | Uint16Array;
}

export interface HostFeatures {
  readonly kind: 'video' | 'image';
  readonly spatial_ND: FeatureArray;
  /** Null without the temporal branch, and for a picture. */
  readonly temporal_MD: FeatureArray | null;
}
