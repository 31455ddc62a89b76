/** Interleaved timing: every side runs in turn, so that a slow moment of the machine hits all of them. */

/** One run; resolves to what it took in ms (measured where the work is done). */
export type Sample = () => number | Promise<number>;

export interface Timing {
  readonly repeats: number;
  readonly warmUp: number;
}

/** For threads that spin when idle (OpenBLAS's do, for tens of ms) to fall asleep: they would take a core from the next side. */
const PAUSE_MS = 60;

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/**
 * After a pause the second core sleeps, and the scheduler takes tens of ms to move a thread there: short work would be
 * timed on one core. So each turn begins with as much untimed work.
 */
const WARM_MS = 60;

async function warmUpTurn(sample: Sample, lastMs: number): Promise<void> {
  if (lastMs > WARM_MS) return;
  for (const started = performance.now(); performance.now() - started < WARM_MS; ) await sample();
}

/** Medians of the sides, in their order. */
export async function interleaved(sides: readonly Sample[], { repeats, warmUp }: Timing): Promise<number[]> {
  const times: number[][] = sides.map(() => []);
  const last = sides.map(() => 0);
  for (let round = 0; round < warmUp + repeats; round++) {
    for (const [side, sample] of sides.entries()) {
      await pause();
      await warmUpTurn(sample, last[side] ?? 0);
      const ms = await sample();
      last[side] = ms;
      if (round >= warmUp) times[side]?.push(ms);
    }
  }
  return times.map(median);
}

/** A sample that repeats short work until it is long enough to time; ms of one run. */
export function repeated(run: () => void, atLeastMs = 4): Sample {
  let runs = 1;
  return () => {
    for (;;) {
      const started = performance.now();
      for (let i = 0; i < runs; i++) run();
      const ms = performance.now() - started;
      if (ms >= atLeastMs || runs >= 1e6) return ms / runs;
      runs = Math.ceil(runs * Math.min(10, (1.5 * atLeastMs) / Math.max(ms, 0.01)));
    }
  };
}
