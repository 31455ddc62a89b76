/** The whole path on rendered clips and a tiny random base; what such short runs answer is chance. */
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type AblationOptions, runAblation } from '../../src/ablation/run-ablation.js';
import { sharedFeatures } from '../../src/ablation/shared-features.js';
import type { Variant } from '../../src/ablation/variants.js';
import { useBackend } from '../../src/backend/select.js';
import { Rng } from '../../src/base/rng.js';
import { synthesizeCorpus } from '../../src/data/synth/corpus.js';
import { syntheticVocabulary } from '../../src/data/synth/vocabulary.js';
import { createTokenizer } from '../../src/data/tokenizer.js';
import { openVideo } from '../../src/data/video/open-video.js';
import { buildWordTokenizerJson } from '../../src/data/word-tokenizer.js';
import { MimicChatModel } from '../../src/model/mimic-chat.js';
import { writeSafetensors } from '../../src/model/weights/safetensors-writer.js';
import { loadRunConfig } from '../../src/train/base-settings.js';
import { samplingOf } from '../../src/train/config.js';
import { prepareRun } from '../../src/train/prepare-run.js';
import { tinyConfig } from '../support/tiny-model.js';
import { temporaryFolder } from '../train/temporary-folder.js';

const VARIANTS: readonly Variant[] = [
  ...(['full', 'no-temporal-encoder', 'no-temporal-projector', 'no-spatial-projector'] as const),
  ...(['fresh-spatial-projector', 'text-only'] as const),
];

describe('mimic ablate', () => {
  const dir = temporaryFolder();
  let options: AblationOptions;

  beforeAll(async () => {
    await useBackend({ backend: 'native', threads: 1 });
    const corpus = join(dir, 'corpus');
    await synthesizeCorpus({ dir: corpus, seed: 3, counts: { train: 6, validation: 5, test: 6 } });
    const tokenizer = await createTokenizer(buildWordTokenizerJson(syntheticVocabulary()));
    const prompt = { template: 'plain', layout: 'paper', wording: 'terse' };
    const tiny = tinyConfig();
    const config = {
      base: join(dir, 'base'),
      model: { ...tiny, language: { ...tiny.language, vocabSize: tokenizer.vocabSize }, lora: { rank: 2, alpha: 4 } },
      ...{ prompt, video: { resize: 'area' } },
      data: { train: join(corpus, 'train.jsonl'), validation: join(corpus, 'validation.jsonl'), turnsPerVideo: 2 },
      train: {
        maxSteps: 3,
        learningRate: 0.005,
        batchSize: 2,
        accumulate: 1,
        evalEverySteps: 3,
        gradientCheckpointing: false,
      },
    };
    const base = new MimicChatModel({ ...tiny, ...config.model, lora: { ...tiny.lora, rank: 0 } });
    // Of a seed that no run has: started anew from the same, a projector would be the base's.
    base.parameters.initialize(new Rng(77, 'weights'));
    await mkdir(config.base);
    await tokenizer.save(config.base);
    await writeFile(join(config.base, 'config.yaml'), stringify({ model: base.config, prompt }));
    await writeSafetensors(
      join(config.base, 'model.safetensors'),
      base.parameters.list().map(({ name, shape, value }) => {
        return { name, dtype: 'F32', shape, data: Float32Array.from(value.dataSync()) };
      }),
    );
    base.dispose();
    await writeFile(join(dir, 'run.yaml'), stringify(config));
    options = {
      ...{ configFile: join(dir, 'run.yaml'), overrides: [], seeds: [1], variants: VARIANTS },
      ...{ out: join(dir, 'out'), test: join(corpus, 'test.jsonl'), resume: false, quick: false },
      ...{ backend: 'native', threads: 1 },
    };
  }, 120_000);

  const resultOf = (seed: number, variant: Variant) =>
    join(options.out, 'runs', 'base-own', `seed-${seed}`, variant, 'result.json');
  const read = async (path: string) => JSON.parse(await readFile(path, 'utf8'));

  it('runs every variant and writes the table, the page and every answer', async () => {
    const tensors = tf.memory().numTensors;
    expect(await runAblation(options)).toEqual({ failed: 0, interrupted: false });
    expect(tf.memory().numTensors).toBe(tensors);
    const { format, runs, bases, table, paper, seeds } = await read(join(options.out, 'ablation.json'));
    expect(format).toBe('mimic-ablation/1');
    expect(runs.map(({ variant }: { variant: string }) => variant)).toEqual(VARIANTS);
    expect(seeds).toEqual([1]);
    expect(new Set(bases[0].questions.map(({ videoId }: { videoId: string }) => videoId)).size).toBe(6);
    for (const { choices, accuracy, steps } of runs) {
      expect(choices).toMatch(/^[0-3]+$/);
      expect(choices).toHaveLength(bases[0].questions.length);
      const right = bases[0].questions.filter(
        ({ answer }: { answer: number }, i: number) => choices[i] === String(answer),
      );
      expect(accuracy.micro).toBeCloseTo(right.length / choices.length, 12);
      expect(steps).toBe(3);
    }
    // Validation losses of their own: the variants are not one model under six names.
    expect(new Set(runs.map(({ best }: { best: { loss: number } }) => best.loss)).size).toBe(VARIANTS.length);
    expect(table.full.micro.mean).toBe(runs[0].accuracy.micro);
    expect(paper.rows.full.overall).toBe(74.1);

    const page = await readFile(join(options.out, 'ablation.html'), 'utf8');
    expect(page).not.toMatch(/undefined|NaN|<script|https?:/);
    expect(page.match(/<svg/g)).toHaveLength(4);
    const text = await readFile(join(options.out, 'table3.txt'), 'utf8');
    expect(text).toContain('none: a finding needs at least 3 runs');
    expect(await readFile(join(options.out, 'table3.md'), 'utf8')).toContain('| *paper: w/o LoRA* | 88.3 |');
  });

  it('goes on: finished runs stay, a lost result comes back the same, a failure is recorded and the others go on', async () => {
    await expect(runAblation(options)).rejects.toMatchObject({ code: 'E_ABLATION_EXISTS' });
    const kept = await stat(resultOf(1, 'full'));
    const before = await read(resultOf(1, 'text-only'));
    await rm(join(resultOf(1, 'text-only'), '..'), { recursive: true });
    // A file where a run's folder should be.
    await mkdir(join(resultOf(2, 'full'), '..', '..'), { recursive: true });
    await writeFile(join(resultOf(2, 'text-only'), '..'), '');
    const variants: Variant[] = ['full', 'text-only'];
    const outcome = await runAblation({ ...options, seeds: [1, 2], variants, resume: true });
    expect(outcome).toEqual({ failed: 1, interrupted: false });
    expect((await stat(resultOf(1, 'full'))).mtimeMs).toBe(kept.mtimeMs);
    expect((await read(resultOf(1, 'text-only'))).choices).toBe(before.choices);
    const { failures, runs } = await read(join(options.out, 'ablation.json'));
    expect(failures).toMatchObject([{ base: 'own', seed: 2, variant: 'text-only' }]);
    expect(runs).toHaveLength(3);
    expect(await readFile(join(options.out, 'ablation.html'), 'utf8')).toContain('FAILED: base own, seed 2, text-only');

    const other = { ...options, resume: true, overrides: ['--train.learningRate=1e-3'] };
    await expect(runAblation(other)).rejects.toThrow('settings.json: made with other settings: train.learningRate.');
  });

  it('starts a variant from the base, but for what the variant forgets, through features that stay', async () => {
    const { config } = await loadRunConfig({
      file: options.configFile,
      overrides: ['--train.reinitialize=["spatial projector"]', `--out=${join(options.out, 'fresh')}`],
    });
    const frames = (input: Parameters<typeof openVideo>[0]) => openVideo(input, samplingOf(config));
    const shared = await sharedFeatures(config, frames);
    const base = new MimicChatModel({ ...config.model, lora: { ...config.model.lora, rank: 0 } });
    base.parameters.initialize(new Rng(77, 'weights'));
    const run = await prepareRun(config, frames, false, shared.features);
    const differing = new Set(
      base.parameters.list().flatMap(({ name, part, value, init }) => {
        const own = run.model.parameters.get(name)?.value.dataSync() ?? [];
        // Constants are the same at any start.
        if (init.kind === 'constant') return [];
        return Array.from(value.dataSync()).some((x, i) => x !== own[i]) ? [part] : [];
      }),
    );
    expect([...differing]).toEqual(['spatial projector']);
    const video = run.data.video(0);
    if (video === null) throw new Error('the record has no video');
    const [seen] = await run.features.take([video]);
    run.dispose();
    expect(seen?.spatial_ND.isDisposed).toBe(false);
    shared.dispose();
    expect(seen?.spatial_ND.isDisposed).toBe(true);
    base.dispose();
  });
});
