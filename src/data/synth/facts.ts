/**
 * What a synthetic clip shows: six facts, uniform and independent (4096 combinations).
 *
 * Shape, colour, background and layout are in every frame. Motion and lamp have a period of four frames and look the
 * same in every fourth one, so eight frames sampled from 33 do not show them: only the full sequence does.
 */
import type { Rng } from '../../base/rng.js';

export const FACT_VALUES = {
  shape: ['ball', 'box', 'kite', 'star'],
  color: ['red', 'blue', 'yellow', 'purple'],
  bg: ['beach', 'night', 'meadow', 'brick'],
  layout: ['topleft', 'topright', 'lowleft', 'lowright'],
  motion: ['clockwise', 'anticlockwise', 'hopping', 'resting'],
  lamp: ['dark', 'single', 'double', 'steady'],
} as const;

export type FactKind = keyof typeof FACT_VALUES;
export type Facts = { readonly [Kind in FactKind]: (typeof FACT_VALUES)[Kind][number] };

export const FACT_KINDS: readonly FactKind[] = ['shape', 'color', 'bg', 'layout', 'motion', 'lamp'];

export function drawFacts(rng: Rng): Facts {
  return {
    shape: rng.pick(FACT_VALUES.shape),
    color: rng.pick(FACT_VALUES.color),
    bg: rng.pick(FACT_VALUES.bg),
    layout: rng.pick(FACT_VALUES.layout),
    motion: rng.pick(FACT_VALUES.motion),
    lamp: rng.pick(FACT_VALUES.lamp),
  };
}
