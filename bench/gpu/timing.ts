/** Interleaved timing on the GPU's own clock: each side runs in turn, so that heat and clocks are the same for all. */
import type { CudaDevice } from '../../src/backend/cuda/cuda-device.js';
import { median } from '../measure.js';

/** Runs the work `repeats` times in one go; milliseconds of one. */
export type GpuSample = (repeats: number) => number | Promise<number>;

/** Work that is only queued. */
export function onGpu(gpu: CudaDevice, work: () => void): GpuSample {
  return (repeats) =>
    gpu.time(() => {
      for (let i = 0; i < repeats; i++) work();
    }) / repeats;
}

/** Work timed from its start to the end of what it queued: includes this side's own time where the GPU waits for it. */
export function onWallClock(gpu: CudaDevice, work: () => void): GpuSample {
  return (repeats) => {
    gpu.synchronize();
    const started = performance.now();
    for (let i = 0; i < repeats; i++) work();
    gpu.synchronize();
    return (performance.now() - started) / repeats;
  };
}

/** One sample of a side lasts about this long: far beyond the clock's resolution and a launch. */
const SAMPLE_MS = 30;
const MAX_REPEATS = 1000;
const ROUNDS = 7;

/** Medians of the sides in milliseconds, after a warm-up of each that also says how many repeats a sample takes. */
export async function interleavedOnGpu(
  sides: readonly (GpuSample | undefined)[],
  quick: boolean,
): Promise<(number | undefined)[]> {
  const repeats: number[] = [];
  for (const side of sides) {
    if (side !== undefined) await side(1);
    const ms = side === undefined || quick ? SAMPLE_MS : await side(2);
    repeats.push(Math.max(1, Math.min(MAX_REPEATS, Math.round(SAMPLE_MS / Math.max(ms, 1e-3)))));
  }
  const times: number[][] = sides.map(() => []);
  for (let round = 0; round < (quick ? 1 : ROUNDS); round++) {
    for (const [i, side] of sides.entries()) {
      if (side !== undefined) times[i]?.push(await side(repeats[i] ?? 1));
    }
  }
  return sides.map((side, i) => (side === undefined ? undefined : median(times[i] ?? [])));
}
