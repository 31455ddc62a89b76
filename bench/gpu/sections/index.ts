import type { Section } from '../section.js';
import { attention } from './attention.js';
import { clip } from './clip.js';
import { decode } from './decode.js';
import { gemm } from './gemm.js';
import { layer } from './layer.js';
import { rowKernels } from './rows.js';
import { train } from './train.js';

/** With the seconds that each may take: 15 minutes in all. */
export const SECTIONS: Readonly<Record<string, { readonly run: Section; readonly limitSeconds: number }>> = {
  gemm: { run: gemm, limitSeconds: 100 },
  attention: { run: attention, limitSeconds: 150 },
  rows: { run: rowKernels, limitSeconds: 70 },
  layer: { run: layer, limitSeconds: 80 },
  decode: { run: decode, limitSeconds: 80 },
  train: { run: train, limitSeconds: 240 },
  clip: { run: clip, limitSeconds: 180 },
};
