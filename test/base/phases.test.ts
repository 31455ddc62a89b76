import { describe, expect, it } from 'vitest';
import { type PhaseName, phase, watchPhases } from '../../src/base/phases.js';

function watcher() {
  const seen: string[] = [];
  return {
    seen,
    enter: () => seen.push('enter'),
    leave: (name: PhaseName, ms: number) => seen.push(`${name} ${ms >= 0}`),
  };
}

describe('phase', () => {
  it('is a plain call while nobody watches', () => {
    expect(phase('load', () => 3)).toBe(3);
  });

  it('tells of stages that return at once, later, or not at all', async () => {
    const { seen, ...observer } = watcher();
    await watchPhases(observer, async () => {
      expect(phase('load', () => 1)).toBe(1);
      expect(await phase('decode', () => Promise.resolve(2))).toBe(2);
      expect(() =>
        phase('prefill', () => {
          throw new Error('no memory');
        }),
      ).toThrow('no memory');
      await expect(phase('answer', () => Promise.reject(new Error('late')))).rejects.toThrow('late');
    });
    expect(seen).toEqual(['load', 'decode', 'prefill', 'answer'].flatMap((name) => ['enter', `${name} true`]));
  });

  it('is watched no longer than the work lasts, and by one at a time', async () => {
    const { seen, ...observer } = watcher();
    await expect(watchPhases(observer, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    phase('load', () => 1);
    expect(seen).toEqual([]);
    await watchPhases(observer, async () => {
      await expect(watchPhases(observer, () => Promise.resolve())).rejects.toThrow('somebody else');
    });
  });
});
