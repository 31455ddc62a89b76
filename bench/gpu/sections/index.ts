import type { Section } from '../section.js';
import { attention } from './attention.js';
import { decode } from './decode.js';
import { gemm } from './gemm.js';
import { layer } from './layer.js';
import { rowKernels } from './rows.js';

/** With the seconds that each may take: 8 minutes in all. */
export const SECTIONS: Readonly<Record<string, { readonly run: Section; readonly limitSeconds: number }>> = {
  gemm: { run: gemm, limitSeconds: 100 },
  attention: { run: attention, limitSeconds: 150 },
  rows: { run: rowKernels, limitSeconds: 70 },
  layer: { run: layer, limitSeconds: 80 },
  decode: { run: decode, limitSeconds: 80 },
};
