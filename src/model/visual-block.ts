/** How many visual tokens stand for one input, span by span: what a prompt needs to know to leave room for them. */
export interface VisualBlock {
  /** Frames in time, or pictures. */
  readonly kind: 'video' | 'image';
  /** Spatial tokens of each frame, or of each picture with all its tiles, in order. */
  readonly spatial: readonly number[];
  /** Tokens of the temporal branch, after the spatial ones; 0 without them. */
  readonly temporal: number;
  /** Ids of [VID] and [SEP]. */
  readonly vidId: number;
  readonly sepId: number;
}

/** All visual tokens of the block. */
export function visualCount({ spatial, temporal }: Pick<VisualBlock, 'spatial' | 'temporal'>): number {
  return spatial.reduce((sum, tokens) => sum + tokens, 0) + temporal;
}
