/** What a section of the GPU benchmark is given, and the rows that it gives back. */
import type { CudaDevice } from '../../src/backend/cuda/cuda-device.js';
import type { Torch } from './torch.js';

export interface GpuRow {
  readonly name: string;
  readonly ours: number;
  readonly unit: string;
  /** The same work by another program in the same run, or a ceiling measured in it; absent where neither is. */
  readonly peer?: number;
  readonly peerName?: string;
  /** Above 1: ours is better. */
  readonly ratio?: number;
  readonly note?: string;
}

export interface SectionContext {
  readonly gpu: CudaDevice;
  /** PyTorch on the same GPU; undefined where it is not installed. */
  readonly torch: Torch | undefined;
  /** Tiny sizes and few repeats: shows the path, not the figures. */
  readonly quick: boolean;
  readonly add: (row: GpuRow) => void;
}

export type Section = (context: SectionContext) => Promise<void>;

const SIGNIFICANT_DIGITS = 4;
const rounded = (value: number) => Number(value.toPrecision(SIGNIFICANT_DIGITS));

interface Figures {
  readonly name: string;
  readonly ours: number;
  readonly unit: string;
  readonly peer?: number | undefined;
  readonly peerName: string;
  readonly note?: string | undefined;
}

/** A row of speeds: more is better. */
export function speedRow({ name, ours, unit, peer, peerName, note }: Figures): GpuRow {
  const beside = peer === undefined ? {} : { peer: rounded(peer), peerName, ratio: rounded(ours / peer) };
  return { name, ours: rounded(ours), unit, ...beside, ...(note === undefined ? {} : { note }) };
}

export function formatRow({ name, ours, unit, peer, peerName, ratio, note }: GpuRow): string {
  const verdict = ratio === undefined ? ''.padStart(9) : `${ratio.toFixed(2).padStart(7)} x`;
  const figures = `${String(ours).padStart(9)} ${String(peer ?? '').padStart(9)} ${unit.padEnd(9)}`;
  const rest = [peerName, note].filter((text) => text !== undefined).join('; ');
  return `${verdict} ${figures} ${name.padEnd(52)} ${rest}`.trimEnd();
}
