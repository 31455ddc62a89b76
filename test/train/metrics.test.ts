import { describe, expect, it } from 'vitest';
import { RunningMeans, Throughput } from '../../src/train/metrics.js';

describe('RunningMeans', () => {
  it('weighs values and starts anew when taken', () => {
    const means = new RunningMeans();
    means.add('loss', 2, 10);
    means.add('loss', 5, 20);
    means.add('accuracy', 0.5);
    expect(means.take()).toEqual({ loss: 4, accuracy: 0.5 });
    means.add('loss', 1);
    expect(means.take()).toEqual({ loss: 1 });
  });

  it('leaves out a name without weight and shows a NaN', () => {
    const means = new RunningMeans();
    means.add('empty', 1, 0);
    means.add('loss', Number.NaN);
    means.add('loss', 1);
    expect(means.take()).toEqual({ loss: Number.NaN });
  });
});

describe('Throughput', () => {
  const at = { sec: 100 };
  const wait = (sec: number) => {
    at.sec += sec;
  };
  const make = () => {
    at.sec = 100;
    return new Throughput(() => at.sec);
  };

  it('counts a second since the last take', () => {
    const throughput = make();
    throughput.add('tokens', 300);
    throughput.add('tokens', 100);
    throughput.add('videos', 4);
    wait(2);
    expect(throughput.take()).toEqual({ tokens: 200, videos: 2 });
    throughput.add('tokens', 50);
    wait(1);
    expect(throughput.take()).toEqual({ tokens: 50 });
  });

  it('leaves paused time out, also when the pause fails or rates are taken in it', async () => {
    const throughput = make();
    throughput.add('steps', 10);
    wait(1);
    await throughput.paused(async () => wait(9));
    const failing = throughput.paused(async () => {
      wait(5);
      throw new Error('disk full');
    });
    await expect(failing).rejects.toThrow('disk full');
    wait(1);
    const during = await throughput.paused(async () => {
      wait(3);
      return throughput.take();
    });
    expect(during).toEqual({ steps: 5 });
    throughput.add('steps', 8);
    wait(2);
    expect(throughput.take()).toEqual({ steps: 4 });
  });

  it('gives no rates when no time has passed', () => {
    const throughput = make();
    throughput.add('steps', 1);
    expect(throughput.take()).toEqual({});
  });
});
