/**
 * A published layout: where each of our parameters lies in its files.
 *
 * Ours carry the names of the OpenGVLab checkpoints, so most layouts only rename; what is fused here and apart there is put
 * together from rows.
 */
import type { LanguageConfig } from '../config.js';
import type { Part } from '../parameters.js';

export const LAYOUT_IDS = ['own', 'internvl', 'internvl-hf', 'timesformer-hf', 'timesformer-fb'] as const;
export type LayoutId = (typeof LAYOUT_IDS)[number];

/** Rows of a tensor, by its plain name; without `start` and `count` all of them. */
export interface NamedRows {
  readonly name: string;
  readonly start?: number;
  readonly count?: number;
}

export interface Layout {
  readonly id: LayoutId;
  /** Parts whose parameters a file of this layout holds. Our own folders may hold any. */
  readonly parts: ReadonlySet<Part>;
  /**
   * @param name of a parameter of ours
   * @param rows its first dimension
   * @returns its pieces from top to bottom, or a reason why this layout cannot hold it
   */
  locate(name: string, rows: number): readonly NamedRows[] | { readonly reason: string };
}

export type Heads = Pick<LanguageConfig, 'numHeads' | 'numKvHeads'>;

export const WHOLE_INTERNVL: ReadonlySet<Part> = new Set<Part>([
  'spatial encoder',
  'spatial projector',
  'language model',
  'lora',
]);
export const TEMPORAL_ONLY: ReadonlySet<Part> = new Set<Part>(['temporal encoder']);
