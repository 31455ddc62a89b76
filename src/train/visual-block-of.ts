import { DataError } from '../base/errors.js';
import { type PictureSize, pictureSize } from '../data/picture-size.js';
import { numTiles } from '../data/pixels/tile-grid.js';
import { isPictures, type VideoInput } from '../data/video/open-video.js';
import { tokensPerFrame } from '../model/config.js';
import type { MimicChatModel } from '../model/mimic-chat.js';
import type { VisualBlock } from '../model/visual-block.js';

/**
 * The visual tokens that an input will have, without decoding it: a video's are the configuration's, a picture's follow from
 * the shape in its header. Null for text alone. A picture without a readable header counts as one tile: decoding it, which
 * comes next, says what is wrong.
 */
export function visualBlockOf(model: MimicChatModel, input: VideoInput | null): VisualBlock | null {
  if (input === null) return null;
  const block = model.visualBlock();
  if (!isPictures(input)) return block;
  const { imageSize: size, maxTiles, thumbnail } = model.config.spatial;
  const tokens = tokensPerFrame(model.config.spatial);
  const spatial = input.images.map((path) => {
    const { width, height } = sizeOf(path) ?? { width: size, height: size };
    return tokens * numTiles(width, height, { size, maxTiles, thumbnail });
  });
  return { ...block, kind: 'image', spatial, temporal: 0 };
}

function sizeOf(path: string): PictureSize | null {
  try {
    return pictureSize(path);
  } catch (error) {
    if (error instanceof DataError) return null;
    throw error;
  }
}
