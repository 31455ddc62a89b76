/** Decoded RGB frames of one branch: uint8, row-major `[count, height, width, 3]`. */
export interface Frames {
  readonly data: Uint8Array;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** Frame numbers in the source stream. */
  readonly indices: Int32Array;
  /** Presentation timestamps in seconds. */
  readonly timesSec: Float64Array;
}

/** What the two branches see of one video: 8 sampled frames, and the full sequence. Or the tiles of pictures, and no sequence. */
export interface VideoFrames {
  readonly spatial: Frames;
  readonly temporal: Frames;
  /** Default: a video. Pictures have no time: `temporal` holds no frame. */
  readonly kind?: 'video' | 'image';
  /** Where decoded frames are counted, says that these are no longer needed. */
  readonly release?: () => void;
}
