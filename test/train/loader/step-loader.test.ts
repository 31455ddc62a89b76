import { describe, expect, it } from 'vitest';
import type { VideoInput } from '../../../src/data/video/open-video.js';
import { type LoaderParts, StepLoader } from '../../../src/train/loader/step-loader.js';
import type { DrawnSample } from '../../../src/train/training-data.js';

/** Two records a step in two micro-batches; odd records are text alone. No features: the batches' own content is not looked at. */
function parts({ prefetchSteps = 2, steps = 5, badDraw = -1, out = '' } = {}) {
  const log: string[] = [];
  const text: DrawnSample['tokens'] = {
    ids: Int32Array.of(1, 2),
    labels: Int32Array.of(-100, 2),
    numVisual: 0,
    answerTurn: Int32Array.of(-1, 0),
  };
  const videoOf = (index: number) => (index % 2 === 0 ? `${index}.mp4` : null);
  const loader: LoaderParts = {
    config: { data: { prefetchSteps, badVideo: 'quarantine' }, train: { lossReduction: 'token', packing: false } },
    plan: {
      position: (step) => ({ epoch: 0, stepInEpoch: step }),
      batchesOf: (step) => [Int32Array.of(2 * step), Int32Array.of(2 * step + 1)],
    },
    data: {
      draw: (_, index) => {
        if (index === badDraw) throw new RangeError(`record ${index} is too long`);
        log.push(`draw ${index}`);
        return { id: `r${index}`, video: videoOf(index), tokens: text };
      },
      source: (index) => ({ id: `r${index}`, path: videoOf(index) ?? '', video: videoOf(index) }),
    },
    features: {
      encodeSec: 0,
      lookedUp: async () => undefined,
      prefetch: (inputs: Iterable<VideoInput>) => {
        for (const input of inputs) log.push(`prefetch ${input}`);
      },
      tryTake: async (inputs) => {
        log.push(`take ${inputs.join()}`);
        return inputs.map((input) => Object.assign(new Error(`${input} is cut off`), { code: 'E_VIDEO_TRUNCATED' }));
      },
    },
    ranks: { deal: (count) => Array.from({ length: count }, (_, i) => i) },
    badVideos: { isOut: (id) => id === out },
    totalSteps: steps,
  };
  return { loader: new StepLoader(loader), log };
}

describe('StepLoader', () => {
  it('has the videos of this step found first, then those of the steps ahead, and draws each sample once', async () => {
    const { loader, log } = parts();
    await loader.load(0);
    const videos = log.filter((line) => !line.startsWith('draw'));
    expect(videos).toEqual(['prefetch 0.mp4', 'prefetch 2.mp4', 'prefetch 4.mp4', 'take 0.mp4']);
    log.length = 0;
    await loader.load(1);
    expect(log).toEqual([...['prefetch 2.mp4', 'prefetch 4.mp4', 'draw 6', 'draw 7', 'prefetch 6.mp4', 'take 2.mp4']]);
  });

  it('looks no further than the last step, and not at all when told so', async () => {
    const { loader, log } = parts({ steps: 5 });
    await loader.load(4);
    expect(log.filter((line) => line.startsWith('prefetch'))).toEqual(['prefetch 8.mp4']);
    const near = parts({ prefetchSteps: 0 });
    await near.loader.load(0);
    expect(near.log.filter((line) => line.startsWith('prefetch'))).toEqual(['prefetch 0.mp4']);
  });

  it('reports what fails ahead at the step that needs it', async () => {
    const { loader } = parts({ badDraw: 4 });
    await loader.load(0);
    await loader.load(1);
    await expect(loader.load(2)).rejects.toThrow('record 4 is too long');
  });

  it('keeps text alone, leaves out a batch without its video, and says what became of each sample', async () => {
    const { loader } = parts();
    const { batches, indices, outcomes, planned, clips, tokens, count } = await loader.load(0);
    expect(planned.map(({ id }) => id)).toEqual(['r0', 'r1']);
    expect(outcomes[0]).toBeGreaterThan(0);
    expect(outcomes[1]).toBe(-1);
    expect(batches.map(({ sampleIds }) => sampleIds)).toEqual([['r1']]);
    expect({ indices, clips, tokens, count }).toEqual({ indices: [1], clips: 1, tokens: 2, count: 2 });
  });

  it('does not try a video that is out', async () => {
    const { loader, log } = parts({ out: 'r0', prefetchSteps: 0 });
    const { outcomes } = await loader.load(0);
    expect(log).toContain('take ');
    expect(outcomes).toEqual([-1, -1]);
  });
});
