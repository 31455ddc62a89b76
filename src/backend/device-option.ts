/** `--device` and `--precision`: what was asked for, checked before anything starts. */
import { BackendError } from '../base/errors.js';
import { nearest } from '../base/nearest.js';

export const PRECISIONS = ['fp32', 'bf16'] as const;
/** Storage of frozen weights and activations. Sums, trained weights and optimizer state are fp32 either way. */
export type Precision = (typeof PRECISIONS)[number];

export type DeviceChoice =
  | { readonly kind: 'auto' }
  | { readonly kind: 'cpu' }
  | { readonly kind: 'cuda'; readonly index: number };

/** @throws BackendError E_DEVICE_NAME */
export function parseDevice(device = 'auto'): DeviceChoice {
  if (device === 'auto' || device === 'cpu') return { kind: device };
  const cuda = /^cuda(?::(\d{1,3}))?$/.exec(device);
  if (cuda !== null) return { kind: 'cuda', index: Number(cuda[1] ?? 0) };
  const close = nearest(device, ['auto', 'cpu', 'cuda', 'cuda:0']);
  throw new BackendError('E_DEVICE_NAME', `device ${device}: expected auto, cpu, cuda or cuda:N`, {
    hint: close === undefined ? 'run `mimic doctor` to see the devices of this machine' : `did you mean ${close}?`,
  });
}

/** @throws BackendError E_PRECISION_NAME */
export function parsePrecision(precision: string | undefined): Precision | undefined {
  const known = PRECISIONS.find((name) => name === precision);
  if (precision === undefined || known !== undefined) return known;
  throw new BackendError('E_PRECISION_NAME', `precision ${precision}: expected ${PRECISIONS.join(' or ')}`, {
    hint: `did you mean ${nearest(precision, PRECISIONS) ?? 'bf16'}?`,
  });
}
