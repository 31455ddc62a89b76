/** Inputs without content, as large as a run allows: for dry runs and plans. */
import { IGNORED_LABEL, type TokenizedSample } from '../data/prompt.js';
import type { Frames } from '../model/frames.js';
import { type MimicChatModel, VISUAL_ID } from '../model/mimic-chat.js';

/** Frames to count with. Not all zero: pages of zeros would take no memory. */
export function blankFrames(count: number, size: number): Frames {
  return {
    data: new Uint8Array(count * size * size * 3).fill(127),
    ...{ count, height: size, width: size },
    indices: Int32Array.from({ length: count }, (_, i) => i),
    timesSec: Float64Array.from({ length: count }, (_, i) => i / 8),
  };
}

/** The longest sample the run allows; its last token is supervised. */
export function fullLengthSample(model: MimicChatModel, maxLength: number): TokenizedSample {
  const visual = model.numVisualTokens();
  const ids = new Int32Array(maxLength);
  ids.fill(VISUAL_ID, 1, 1 + visual);
  ids[0] = model.vidId;
  ids[1 + visual] = model.sepId;
  const labels = new Int32Array(ids.length).fill(IGNORED_LABEL);
  labels[ids.length - 1] = 0;
  return { ids, labels, numVisual: visual, answerTurn: new Int32Array(ids.length) };
}
