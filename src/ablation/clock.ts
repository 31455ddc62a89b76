/** What is left of many runs, from those that are done. */
export class RunClock {
  private readonly seconds = new Map<string, number[]>();

  /** @param kind runs of one kind take about as long */
  add(kind: string, seconds: number): void {
    this.seconds.set(kind, [...(this.seconds.get(kind) ?? []), seconds]);
  }

  /** Mean of the kind, else of all runs; undefined before the first. */
  expected(kind: string): number | undefined {
    const own = this.seconds.get(kind) ?? [...this.seconds.values()].flat();
    return own.length === 0 ? undefined : own.reduce((sum, x) => sum + x, 0) / own.length;
  }

  /** Seconds of these runs together; undefined before the first. */
  left(kinds: readonly string[]): number | undefined {
    let total = 0;
    for (const kind of kinds) {
      const expected = this.expected(kind);
      if (expected === undefined) return undefined;
      total += expected;
    }
    return total;
  }
}
