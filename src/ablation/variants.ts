/** The rows of the ablation table: what each one changes, and which row it is compared with. */
import { ConfigError } from '../base/errors.js';
import { nearest } from '../base/nearest.js';

export const VARIANTS = [
  'full',
  'no-lora',
  'no-temporal-encoder',
  'no-temporal-projector',
  'no-spatial-projector',
  'fresh-spatial-projector',
  'text-only',
  'shared-projector-fresh',
] as const;
export type Variant = (typeof VARIANTS)[number];

/** All but the last, which is for those who ask for it. */
export const DEFAULT_VARIANTS: readonly Variant[] = VARIANTS.slice(0, -1);

export interface VariantInfo {
  /** As in the paper's table, or what we call a row of our own. */
  readonly label: string;
  /** What is different from the full model. */
  readonly what: string;
  /** Settings on top of the run's own. */
  readonly overrides: readonly string[];
}

const ablate = (name: string): readonly string[] => [`--model.ablate=${name}`];
const FRESH = '--train.reinitialize=["spatial projector"]';

export const VARIANT_INFO: Readonly<Record<Variant, VariantInfo>> = {
  full: {
    label: 'full',
    what: 'both branches, their own projectors, LoRA',
    overrides: ablate('none'),
  },
  'no-lora': {
    label: 'w/o LoRA',
    what: 'the language model stays as it is',
    overrides: ablate('no-lora'),
  },
  'no-temporal-encoder': {
    label: 'w/o temporal encoder',
    what: 'no temporal branch: the uniform frames alone',
    overrides: ablate('no-temporal-encoder'),
  },
  'no-temporal-projector': {
    label: 'w/o temporal projector',
    what: 'temporal tokens go through the aligned spatial projector, behind a linear width adapter',
    overrides: ablate('no-temporal-projector'),
  },
  'no-spatial-projector': {
    label: 'w/o spatial projector',
    what: 'spatial tokens go through the fresh temporal projector, behind a linear width adapter; the alignment is lost',
    overrides: ablate('no-spatial-projector'),
  },
  'fresh-spatial-projector': {
    label: 'control: fresh spatial projector',
    what: 'the full model, its aligned spatial projector started anew: the same start as w/o spatial projector',
    overrides: [...ablate('none'), FRESH],
  },
  'text-only': {
    label: 'text alone',
    what: 'trained and asked without video',
    overrides: [...ablate('none'), '--prompt.layout=none'],
  },
  'shared-projector-fresh': {
    label: 'shared projector, fresh',
    what: 'w/o temporal projector, the shared projector started anew: the same start as the control',
    overrides: [...ablate('no-temporal-projector'), FRESH],
  },
};

/** Two rows that differ in one thing; a difference is `reference` less `variant`. */
export interface VariantPair {
  readonly reference: Variant;
  readonly variant: Variant;
  /** Begins a sentence about the variant. */
  readonly subject: string;
  /** What a reader has to know about the pair. */
  readonly note?: string;
}

export const VARIANT_PAIRS: readonly VariantPair[] = [
  { reference: 'full', variant: 'no-temporal-encoder', subject: 'Without the temporal encoder' },
  { reference: 'full', variant: 'no-lora', subject: 'Without LoRA' },
  {
    reference: 'full',
    variant: 'text-only',
    subject: 'With the text alone',
    note: 'Style is solvable from text by design; the two visual axes must not be.',
  },
  {
    reference: 'full',
    variant: 'no-temporal-projector',
    subject: 'With the aligned spatial projector serving both branches',
    note: 'Both start from the aligned projector.',
  },
  {
    reference: 'full',
    variant: 'no-spatial-projector',
    subject: 'With a fresh projector serving both branches, against the full model',
    note: 'Two things change here: the projector is shared, and the alignment it was given before is lost.',
  },
  {
    reference: 'full',
    variant: 'fresh-spatial-projector',
    subject: 'With two projectors of which the spatial one has lost its alignment',
    note: 'The control: the lost alignment by itself.',
  },
  {
    reference: 'fresh-spatial-projector',
    variant: 'no-spatial-projector',
    subject: 'With a fresh projector serving both branches, against two fresh ones',
    note: 'The fair comparison of sharing: both start from fresh projectors.',
  },
  {
    reference: 'fresh-spatial-projector',
    variant: 'shared-projector-fresh',
    subject: 'With a fresh spatial projector serving both branches, against two fresh ones',
    note: 'Both start from fresh projectors.',
  },
];

/** @throws ConfigError E_USAGE for a name that is none, or when the full model, which all are compared with, is missing */
export function parseVariants(names: readonly string[]): Variant[] {
  const chosen = names.map((name) => {
    const variant = VARIANTS.find((known) => known === name);
    if (variant !== undefined) return variant;
    const guess = nearest(name, VARIANTS);
    const suggestion = guess === undefined ? '' : `; did you mean ${guess}?`;
    throw new ConfigError('E_USAGE', `--variants: got "${name}", expected some of ${VARIANTS.join(', ')}${suggestion}`);
  });
  if (!chosen.includes('full')) {
    throw new ConfigError('E_USAGE', `--variants: got ${names.join(', ')}, expected full among them`, {
      hint: 'every row is a difference from the full model',
    });
  }
  // In the table's order, each once.
  return VARIANTS.filter((variant) => chosen.includes(variant));
}
