import type { Part } from '../parameters.js';

/**
 * Parts of ours that a published base has no word for and that may stay at their start: fresh positions and gates are
 * constants, the same in every run, and [VID] and [SEP] are read in the paper's prompt layout only.
 *
 * @param layout prompt.layout
 */
export function neutralParts(layout: string): readonly Part[] {
  return layout === 'paper' ? ['positions', 'gated fusion'] : ['positions', 'gated fusion', 'special tokens'];
}
