import { describe, expect, it } from 'vitest';
import { hashLabel } from '../../../src/base/rng.js';
import { type VideoInput, videoKey } from '../../../src/data/video/open-video.js';
import type { FeatureCache } from '../../../src/train/features/feature-cache.js';
import { FeatureSource } from '../../../src/train/features/feature-source.js';
import type { HostFeatures } from '../../../src/train/features/host-features.js';
import { CPU, useBackend } from '../../support/backends.js';
import { checkLeaks } from '../../support/leak-check.js';
import { randomVideo, tinyModel } from '../../support/tiny-model.js';

describe('feature source', () => {
  useBackend(CPU);
  checkLeaks();

  function source(budgetBytes: number) {
    const model = tinyModel();
    const decoded: string[] = [];
    const features = new FeatureSource(
      model,
      async (input) => {
        const path = videoKey(input);
        decoded.push(path);
        if (path === 'broken') throw new Error('cannot decode');
        return randomVideo(model.config, hashLabel(path), 3);
      },
      budgetBytes,
    );
    const dispose = () => {
      features.dispose();
      model.dispose();
    };
    return { features, decoded, dispose };
  }

  it('decodes a video once, also when it was prefetched or stands twice in a batch', async () => {
    const { features, decoded, dispose } = source(1e9);
    features.prefetch(['a', 'b']);
    const [a, b, again] = await features.take(['a', 'b', 'a']);
    expect(again).toBe(a);
    expect(b).not.toBe(a);
    await features.take(['b', 'c']);
    expect(decoded).toEqual(['a', 'b', 'c']);
    dispose();
  });

  it('forgets the least recently used beyond its budget, never the batch at hand', async () => {
    // One video: 8 x 32 + 4 x 12 floats = 1216 bytes.
    const { features, decoded, dispose } = source(2 * 1216);
    await features.take(['a', 'b']);
    await features.take(['a', 'c']);
    await features.take(['a']);
    await features.take(['b']);
    expect(decoded).toEqual(['a', 'b', 'c', 'b']);
    const [x, y, z] = await features.take(['d', 'e', 'f']);
    for (const held of [x, y, z]) expect(held?.spatial_ND.isDisposed).toBe(false);
    dispose();
  });

  it('reports a video that cannot be decoded when it is needed, not when it is prefetched', async () => {
    const { features, decoded, dispose } = source(1e9);
    features.prefetch(['broken']);
    await features.take(['a']);
    await expect(features.take(['broken'])).rejects.toThrow('cannot decode');
    // A second try decodes again: the failure is not remembered as a result.
    await expect(features.take(['broken'])).rejects.toThrow('cannot decode');
    expect(decoded.filter((path) => path === 'broken')).toHaveLength(2);
    dispose();
  });

  it('stores features while the next ones are computed, and has stored all of them when it has settled', async () => {
    const model = tinyModel();
    const log: string[] = [];
    let letGo = () => undefined;
    const disk = new Promise<undefined>((resolve) => {
      letGo = () => {
        resolve(undefined);
        return undefined;
      };
    });
    const cache: Pick<FeatureCache, 'slotOf' | 'get' | 'put'> = {
      slotOf: async (input) => ({ key: videoKey(input), content: { sha256: '', state: '' } }),
      get: async () => null,
      put: async (input) => {
        await disk;
        log.push(`stored ${videoKey(input)}`);
        return true;
      },
    };
    const frames = async (input: VideoInput) => randomVideo(model.config, hashLabel(videoKey(input)), 3);
    const features = new FeatureSource(model, frames, 1e9, cache);
    await features.take(['a', 'b']);
    log.push('taken');
    letGo();
    await features.settle();
    expect(log).toEqual(['taken', 'stored a', 'stored b']);
    features.dispose();
    model.dispose();
  });

  it('finds features that are still being stored on the disk, and does not compute them again', async () => {
    const model = tinyModel();
    const stored = new Map<string, HostFeatures>();
    const cache: Pick<FeatureCache, 'slotOf' | 'get' | 'put'> = {
      slotOf: async (input) => ({ key: videoKey(input), content: { sha256: '', state: '' } }),
      get: async ({ key }) => stored.get(key) ?? null,
      put: async (_, { key }, features) => {
        for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
        stored.set(key, features);
        return true;
      },
    };
    const frames = async (input: VideoInput) => randomVideo(model.config, hashLabel(videoKey(input)), 3);
    const features = new FeatureSource(model, frames, 0, cache);
    await features.take(['a']);
    await features.take(['b']);
    await features.take(['a']);
    expect(features.counts).toEqual({ memory: 0, disk: 1, computed: 2 });
    await features.settle();
    features.dispose();
    model.dispose();
  });

  it('says when it settles what went wrong with storing', async () => {
    const model = tinyModel();
    const cache: Pick<FeatureCache, 'slotOf' | 'get' | 'put'> = {
      slotOf: async (input) => ({ key: videoKey(input), content: { sha256: '', state: '' } }),
      get: async () => null,
      put: async (input) => {
        throw new Error(`${videoKey(input)} is odd`);
      },
    };
    const frames = async (input: VideoInput) => randomVideo(model.config, hashLabel(videoKey(input)), 3);
    const features = new FeatureSource(model, frames, 0, cache);
    await features.take(['a']);
    await features.take(['a', 'b']);
    await expect(features.settle()).rejects.toThrow('a is odd');
    features.dispose();
    model.dispose();
  });

  it('has looked up what was prefetched when it says so, though nothing is decoded yet and some cannot be', async () => {
    const model = tinyModel();
    const log: string[] = [];
    const cache: Pick<FeatureCache, 'slotOf' | 'get' | 'put'> = {
      slotOf: async (input) => {
        for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
        if (videoKey(input) === 'broken') throw new Error('no such file');
        return null;
      },
      get: async () => null,
      put: async () => true,
    };
    const frames = (input: VideoInput) => {
      log.push(videoKey(input));
      return new Promise<never>(() => undefined);
    };
    const features = new FeatureSource(model, frames, 1e9, cache);
    features.prefetch(['a', 'broken', 'b']);
    expect(log).toEqual([]);
    await features.lookedUp();
    expect(log).toEqual(['a', 'b']);
    features.dispose();
    model.dispose();
  });
});
