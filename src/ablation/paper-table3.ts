/** Table 3 of the paper, for comparison by eye: other videos, another model size, one run a row, no intervals. */
import type { ChoiceTaskName } from '../data/tasks/types.js';
import type { Variant } from './variants.js';

export const PAPER_SOURCE = 'the paper, Table 3 (MIMIC-Bench, real videos, 8B model, one run a row, no intervals)';

/** The paper's columns, in its order. */
export const PAPER_COLUMNS: Readonly<Record<ChoiceTaskName, string>> = {
  title: 'TiS',
  description: 'DeS',
  tag: 'TaM',
  topic: 'ToM',
  category: 'CaM',
  'comment-matching': 'CoM',
  'comment-popularity': 'CoP',
};

export interface PaperRow {
  readonly model: string;
  /** Accuracies in percent, in the order of {@link PAPER_COLUMNS}. */
  readonly tasks: readonly number[];
  /** As printed; it is not the mean of the seven columns, and the paper does not say what it is. */
  readonly overall: number;
}

export const PAPER_TABLE3: Partial<Record<Variant, PaperRow>> = {
  full: { model: 'MIMIC-Chat (full)', tasks: [90.4, 87.1, 86.7, 92.5, 55.7, 78.3, 43.6], overall: 74.1 },
  'no-lora': { model: 'w/o LoRA', tasks: [88.3, 64.4, 70.4, 89.8, 47.3, 68.2, 34.1], overall: 66.9 },
  'no-temporal-encoder': {
    model: 'w/o Temporal Encoder',
    tasks: [85.6, 53.3, 87.5, 89.5, 51.4, 65.4, 32.6],
    overall: 65.8,
  },
  'no-temporal-projector': {
    model: 'w/o Temporal Projector',
    tasks: [89.0, 75.4, 72.8, 91.8, 48.6, 70.3, 34.5],
    overall: 67.5,
  },
  'no-spatial-projector': {
    model: 'w/o Spatial Projector',
    tasks: [89.3, 68.2, 84.2, 91.7, 50.2, 72.6, 35.1],
    overall: 68.7,
  },
};
