import { describe, expect, it } from 'vitest';
import { phase, watchPhases } from '../../src/base/phases.js';
import { formatTimings, PhaseTimes } from '../../src/infer/phase-times.js';

describe('PhaseTimes', () => {
  it('adds up what a stage takes, each time that it runs', async () => {
    const times = new PhaseTimes();
    await watchPhases(times, async () => {
      phase('prefill', () => undefined);
      await phase('decode', () => new Promise((resolve) => setTimeout(resolve, 20)));
      await phase('decode', () => new Promise((resolve) => setTimeout(resolve, 20)));
    });
    const { ms, peakRssBytes } = times.timings;
    expect(Object.keys(ms).sort()).toEqual(['decode', 'prefill']);
    // Two timers of 20 ms; each may fire up to 1 ms early.
    expect(ms.decode).toBeGreaterThanOrEqual(38);
    expect(ms.prefill).toBeLessThan(ms.decode ?? 0);
    expect(peakRssBytes).toBeGreaterThan(2 ** 20);
  });

  it('prints the stages in the order in which they run', () => {
    const text = formatTimings({ ms: { answer: 900, load: 61_000 }, peakRssBytes: 3 * 2 ** 30 });
    expect(text.split('\n').slice(2)).toEqual([
      'load         1 min 01 s',
      'answer           900 ms',
      'peak memory       3 GiB',
    ]);
  });
});
