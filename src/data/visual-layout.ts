/** Where visual tokens stand in a prompt, and what is written around them. */
import type { VisualBlock } from '../model/visual-block.js';
import { visualCount } from '../model/visual-block.js';
import type { SampleWriter } from './sample-writer.js';

export const IMAGE_START = '<img>';
export const IMAGE_END = '</img>';

export const VISUAL_LAYOUTS = ['paper', 'internvl', 'none'] as const;
export type VisualLayout = (typeof VISUAL_LAYOUTS)[number];

/**
 * paper: `[VID]` V.. `[SEP]`.
 *
 * internvl: each frame between `<img>` and `</img>` on a line of its own, `Frame1: <img>` V.. `</img>`; the temporal
 * branch's tokens, where there are any, on a last line `Motion: <img>` V.. `</img>`. One picture stands without a label, all
 * its tiles in one span; several are `Image-1: ` and so on. The frames' labels are those of the checkpoint's inference
 * (training's own script writes `Frame-1`); one form serves both here.
 *
 * Either ends with one control token after the last visual token, and the caller goes on behind it.
 *
 * @source OpenGVLab/InternVL internvl_chat/README.md; the line for motion follows IntMeGroup/FineVQ in its place, and is ours
 */
export function writeVisual(writer: SampleWriter, layout: Exclude<VisualLayout, 'none'>, block: VisualBlock): void {
  if (layout === 'paper') {
    writer.id(block.vidId);
    writer.visual(visualCount(block));
    writer.id(block.sepId);
    return;
  }
  const { kind, spatial, temporal } = block;
  const label = kind === 'video' ? 'Frame' : spatial.length > 1 ? 'Image-' : null;
  const spans = spatial.map((tokens, i) => ({ label: label === null ? '' : `${label}${i + 1}: `, tokens }));
  if (temporal > 0) spans.push({ label: 'Motion: ', tokens: temporal });
  for (const [i, span] of spans.entries()) {
    writer.text(i === 0 ? span.label : `\n${span.label}`);
    writer.control(IMAGE_START);
    writer.visual(span.tokens);
    writer.control(IMAGE_END);
  }
}
