import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng.js';
import { planFrames, plannedFrames } from '../../../src/data/video/frame-plan.js';
import { nearestFrames } from '../../../src/data/video/nearest-frames.js';
import { sampling } from './media.js';

const constantRate = (count: number, fps: number) => Float64Array.from({ length: count }, (_, i) => i / fps);

describe('planFrames', () => {
  it('gives the temporal branch every frame when nothing caps it', () => {
    const plan = planFrames(33, sampling());
    expect([...plan.temporal]).toEqual(Array.from({ length: 33 }, (_, i) => i));
    expect(plan.capped).toBeUndefined();
  });

  it('says what each cap left out', () => {
    expect(planFrames(300, sampling({ temporal: { maxFrames: 16 } })).capped).toBe(
      'the temporal branch has 16 of 300 frames (temporal.maxFrames = 16)',
    );
    const both = sampling({ temporal: { fps: 3, maxFrames: 20 } });
    expect(planFrames(300, both, constantRate(300, 30)).capped).toBe(
      'the temporal branch has 20 of 300 frames (temporal.fps = 3, temporal.maxFrames = 20)',
    );
  });

  it('is silent about a cap that drops nothing', () => {
    const loose = sampling({ temporal: { fps: 60, maxFrames: 400 } });
    expect(planFrames(300, loose, constantRate(300, 30)).capped).toBeUndefined();
  });

  it('lists the frames of both branches once, in order', () => {
    const plan = planFrames(100, sampling({ temporal: { maxFrames: 3 } }));
    expect([...plannedFrames(plan)]).toEqual([6, 16, 18, 31, 43, 49, 56, 68, 80, 82, 93]);
  });
});

describe('nearestFrames', () => {
  it('picks evenly where the rate divides the clip', () => {
    expect([...nearestFrames(constantRate(300, 30), 1)]).toEqual([0, 30, 60, 90, 120, 150, 180, 210, 240, 270]);
  });

  it('keeps every frame when asked for the rate of the clip or more', () => {
    for (const fps of [29.97, 30, 47]) expect(nearestFrames(constantRate(100, 29.97), fps)).toHaveLength(100);
  });

  it('takes the frame nearest by timestamp at every grid point of 500 random variable-rate clips', () => {
    const rng = new Rng(7, 'vfr');
    for (let clip = 0; clip < 500; clip++) {
      let time = rng.uniform();
      const times = Float64Array.from({ length: 2 + rng.int(60) }, () => (time += 0.001 + 0.2 * rng.uniform()));
      const fps = 1 + 20 * rng.uniform();
      const picked = new Set(nearestFrames(times, fps));
      const first = times[0] ?? 0;
      const nearest = new Set<number>();
      for (let step = 0; first + step / fps <= (times.at(-1) ?? 0); step++) {
        const gaps = [...times].map((t) => Math.abs(t - first - step / fps));
        nearest.add(gaps.indexOf(Math.min(...gaps)));
      }
      expect([...picked]).toEqual([...nearest]);
    }
  });
});
