import { describe, expect, it } from 'vitest';
import { RunConfigSchema } from '../../src/train/config.js';
import { dryRun } from '../../src/train/dry-run.js';

describe('dry run', () => {
  it('builds the whole 8B graph, forward and backward, without its memory', async () => {
    const before = process.memoryUsage().rss;
    const text = await dryRun(RunConfigSchema.parse({}));
    expect(text).toMatch(/spatial encoder +304,012,288 +frozen/);
    expect(text).toMatch(/language model +7,737,782,272 +frozen/);
    expect(text).toMatch(/lora +9,437,184 +LoRA/);
    expect(text).toContain('tokens a sample: 2176 visual of 4096');
    expect(text).toContain('gradients for 150 of 150 trained tensors');
    expect(text).toContain('weights in fp32: 30.8 GiB');
    // 30 GiB of weights on paper (as the device's pool rounds them); measured 60 MiB in fact.
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 2 ** 20);
  });

  it('counts bf16 weights at half the size', async () => {
    const text = await dryRun(RunConfigSchema.parse({}), 'bf16');
    expect(text).toMatch(/weights in bf16: 15\.\d GiB/);
    expect(text).toContain('peak of the step in bf16, with gradient checkpointing');
  });
});

describe('run configuration', () => {
  const issues = (input: object) => {
    const parsed = RunConfigSchema.safeParse(input);
    return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  };

  it('refuses visual tokens that leave no room for text, with the sum', () => {
    expect(issues({ model: { spatial: { numFrames: 16 } } })).toEqual([
      'train.maxLength: 4096 spatial + 128 temporal visual tokens + 16 for text exceed 4096; raise it, or lower model.spatial.numFrames or model.temporal.pool',
    ]);
  });

  it('refuses sizes that do not divide', () => {
    expect(issues({ model: { language: { numKvHeads: 5 } } })).toEqual([
      'model.language.numHeads: 32 is not divisible by language.numKvHeads (5)',
    ]);
    expect(issues({ model: { temporal: { imageSize: 192, patchSize: 96 } } })).toEqual([
      'model.temporal.patchSize: spatial.imageSize (448), the size of the frames, is not divisible by 96',
    ]);
  });

  it('accepts a TimeSformer of other frames: its position embeddings are resized', () => {
    expect(issues({ model: { temporal: { imageSize: 224, numFrames: 96 } } })).toEqual([]);
  });
});
