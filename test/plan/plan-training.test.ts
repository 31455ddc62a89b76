import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatPlan } from '../../src/plan/format-plan.js';
import { planTraining } from '../../src/plan/plan-training.js';

const YAML = `
name: tiny
model:
  spatial: {hiddenSize: 32, intermediateSize: 64, numLayers: 2, numHeads: 4, imageSize: 112, patchSize: 14, numFrames: 2}
  temporal: {hiddenSize: 32, intermediateSize: 64, numLayers: 2, numHeads: 4, imageSize: 112, patchSize: 16, numFrames: 4, pool: [2, 2, 2]}
  language: {hiddenSize: 64, intermediateSize: 128, numLayers: 6, numHeads: 4, numKvHeads: 2, vocabSize: 300}
data: {train: DATA}
train: {epochs: 3, batchSize: 1, accumulate: 2, maxLength: 256, featureCacheMiB: 1}
`;

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mimic-plan-'));
  file = join(folder, 'run.yaml');
  const records = Array.from({ length: 5 }, (_, i) => ({ id: `v${i}`, video_path: 'a.mp4', title: `title ${i}` }));
  const data = join(folder, 'train.jsonl');
  await writeFile(data, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  await writeFile(file, YAML.replace('DATA', data));
});
afterAll(() => rm(folder, { recursive: true }));

describe('planTraining', () => {
  it('counts tokens, trained bytes and steps', async () => {
    const { tokens, memory, parts, training, kind } = await planTraining({ configFile: file });
    expect(kind).toBe('training');
    // 2 frames of 16 tokens, 2 x 2 x 2 pooled ones.
    expect(tokens).toEqual({ spatial: 32, temporal: 8, text: 216, total: 256, limit: 256 });
    const trained = parts.reduce((sum, part) => sum + part.trained, 0);
    expect(memory.gradientBytes).toBe(4 * trained);
    // Two moments in fp32; small tensors take up to 64 bytes each.
    expect(memory.optimizerBytes).toBeGreaterThanOrEqual(8 * trained);
    expect(memory.optimizerBytes).toBeLessThan(8 * trained * 1.2);
    // Five records, two in a step: three steps an epoch.
    expect(training).toMatchObject({ videosPerStep: 2, gradientCheckpointing: true, steps: 9 });
  });

  it('shows what gradient checkpointing saves, whichever way it stands', async () => {
    const on = await planTraining({ configFile: file });
    const off = await planTraining({ configFile: file, overrides: ['--train.gradientCheckpointing=false'] });
    expect(off.memory.deviceBytes).toBeGreaterThan(1.2 * on.memory.deviceBytes);
    expect(on.training?.otherwiseDeviceBytes).toBe(off.memory.deviceBytes);
    expect(off.training?.otherwiseDeviceBytes).toBe(on.memory.deviceBytes);
  });

  it('plans for a GPU that is not there', async () => {
    const plan = await planTraining({ configFile: file, device: 'cuda' });
    expect(plan).toMatchObject({ device: 'cuda', precision: 'bf16', fits: true });
    expect(plan.memory.availableBytes).toBeUndefined();
    expect(formatPlan(plan)).toContain('--train.gradientCheckpointing=false');
  });
});
