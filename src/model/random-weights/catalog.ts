/** Published models whose random likenesses can be written, with every size that their files state. */

export interface VisionSizes {
  readonly hidden: number;
  readonly intermediate: number;
  readonly layers: number;
  readonly heads: number;
  /** Side of the square input, pixels. */
  readonly image: number;
  readonly patch: number;
}

export interface LanguageSizes {
  readonly family: 'internlm2' | 'qwen2';
  readonly hidden: number;
  readonly intermediate: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly vocab: number;
  readonly normEps: number;
}

export interface InternVlSizes {
  readonly kind: 'internvl';
  readonly vision: VisionSizes;
  readonly language: LanguageSizes;
}

export interface TimesformerSizes {
  readonly kind: 'timesformer';
  readonly vision: VisionSizes;
  readonly frames: number;
  readonly labels: number;
}

export type ModelSizes = InternVlSizes | TimesformerSizes;

const INTERN_VIT: VisionSizes = { hidden: 1024, intermediate: 4096, layers: 24, heads: 16, image: 448, patch: 14 };
const VIT_B: VisionSizes = { hidden: 768, intermediate: 3072, layers: 12, heads: 12, image: 224, patch: 16 };
const INTERNLM2 = { family: 'internlm2', vocab: 92553, normEps: 1e-5 } as const;
const QWEN2 = { family: 'qwen2', vocab: 151674, normEps: 1e-6 } as const;

const FULL = {
  'internvl2.5-8b': {
    kind: 'internvl',
    vision: INTERN_VIT,
    language: { ...INTERNLM2, hidden: 4096, intermediate: 14336, layers: 32, heads: 32, kvHeads: 8 },
  },
  'internvl2.5-2b': {
    kind: 'internvl',
    vision: INTERN_VIT,
    language: { ...INTERNLM2, hidden: 2048, intermediate: 8192, layers: 24, heads: 16, kvHeads: 8 },
  },
  'internvl2.5-1b': {
    kind: 'internvl',
    vision: INTERN_VIT,
    language: { ...QWEN2, hidden: 896, intermediate: 4864, layers: 24, heads: 14, kvHeads: 2 },
  },
  'timesformer-hr': { kind: 'timesformer', vision: { ...VIT_B, image: 448 }, frames: 16, labels: 400 },
  'timesformer-base': { kind: 'timesformer', vision: VIT_B, frames: 8, labels: 400 },
} as const satisfies Record<string, ModelSizes>;

export type PublishedModel = keyof typeof FULL;
export const PUBLISHED_MODELS = Object.keys(FULL) as PublishedModel[];

export const SCALES = ['full', 'tiny'] as const;
export type Scale = (typeof SCALES)[number];

/** One input size for both branches, a multiple of twice the spatial patch and of the temporal one. */
const TINY_IMAGE = 112;
/** Room for 256 bytes and the longest list of special tokens. */
const TINY_VOCAB = 320;

/** @param scale tiny: the same tensors in two layers of a few dozen channels, for tests */
export function modelSizes(name: PublishedModel, scale: Scale): ModelSizes {
  const full: ModelSizes = FULL[name];
  if (scale === 'full') return full;
  const stack = { hidden: 32, intermediate: 96, layers: 2, heads: 4 };
  const vision = { ...stack, image: TINY_IMAGE, patch: full.vision.patch };
  if (full.kind === 'timesformer') return { ...full, vision, frames: 4, labels: 3 };
  const { family, normEps } = full.language;
  return { ...full, vision, language: { ...stack, family, normEps, kvHeads: 2, vocab: TINY_VOCAB } };
}
