import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runDemo } from '../../src/demo/run-demo.js';
import { MimicChat } from '../../src/infer/mimic-chat.js';

/** The whole path on a small corpus: what `npm run demo -- --quick` does. The scores of so short a training are chance. */
describe('demo', () => {
  let dir = '';
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mimic-demo-'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  it('goes from rendered videos to a checkpoint, scores and a report', { timeout: 240_000 }, async () => {
    const { stages } = await runDemo({ outDir: dir, seed: 5, quick: true });
    expect(stages.map(({ name }) => name)).toEqual([
      'spatial encoder',
      'temporal encoder',
      'bare choice',
      'task phrasing',
      'alignment',
    ]);
    const report = JSON.parse(await readFile(join(dir, 'report.json'), 'utf8'));
    expect(Object.keys(report.accuracy)).toHaveLength(7);
    for (const share of [...Object.values(report.accuracy), report.spatial, report.temporal, report.macro]) {
      expect(share).toBeGreaterThanOrEqual(0);
      expect(share).toBeLessThanOrEqual(1);
    }
    expect(report.baselines.majority.macro).toBeGreaterThan(0.1);
    expect(report.seconds).toBeGreaterThan(0);
    expect(report.backend.name).toMatch(/native|wasm/);

    const page = await readFile(join(dir, 'report.html'), 'utf8');
    expect(page).not.toMatch(/undefined|NaN|<script|https?:/);
    expect(page.match(/<svg/g)).toHaveLength(12);
    expect(page.match(/class="clip"/g)).toHaveLength(6);

    const chat = await MimicChat.load(join(dir, 'checkpoints', 'tuned', 'best'));
    const session = await chat.encode(join(dir, 'corpus', 'videos', 'test-00000.mp4'));
    const { probabilities } = await session.choose('motion ?', ['clockwise', 'anticlockwise', 'hopping', 'resting']);
    expect(probabilities.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
    session.dispose();
    chat.dispose();
  });
});
