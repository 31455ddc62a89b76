/** Numbers of a run between two log lines. */

interface WeightedSum {
  sum: number;
  weight: number;
}

/** Weighted means by name since they were last taken. */
export class RunningMeans {
  private readonly sums = new Map<string, WeightedSum>();

  /** @param weight how much `value` counts, e.g. the tokens it is a mean over */
  add(name: string, value: number, weight = 1): void {
    const held = this.sums.get(name) ?? { sum: 0, weight: 0 };
    held.sum += value * weight;
    held.weight += weight;
    this.sums.set(name, held);
  }

  /** The means in the order of first addition, and a fresh start. A name of weight 0 is left out: it has no mean. */
  take(): Record<string, number> {
    const means = [...this.sums]
      .filter(([, { weight }]) => weight > 0)
      .map(([name, { sum, weight }]) => [name, sum / weight]);
    this.sums.clear();
    return Object.fromEntries(means);
  }
}

/** Counts a second (tokens, videos, steps) since they were last taken, without the time spent paused. */
export class Throughput {
  private readonly counts = new Map<string, number>();
  private startedSec: number;
  private pausedSec: number | undefined;

  /** @param nowSec monotonic clock */
  constructor(private readonly nowSec: () => number = () => performance.now() / 1000) {
    this.startedSec = nowSec();
  }

  add(name: string, count: number): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + count);
  }

  /** Runs `work` off the clock: an evaluation or a checkpoint between steps. */
  async paused<T>(work: () => Promise<T>): Promise<T> {
    const pausedSec = this.nowSec();
    this.pausedSec = pausedSec;
    try {
      return await work();
    } finally {
      this.startedSec += this.nowSec() - pausedSec;
      this.pausedSec = undefined;
    }
  }

  /** Rates a second by name, and a fresh start. Empty when no time has passed. */
  take(): Record<string, number> {
    const nowSec = this.pausedSec ?? this.nowSec();
    const elapsedSec = nowSec - this.startedSec;
    const rates = elapsedSec > 0 ? [...this.counts].map(([name, count]) => [name, count / elapsedSec]) : [];
    this.counts.clear();
    this.startedSec = nowSec;
    return Object.fromEntries(rates);
  }
}
