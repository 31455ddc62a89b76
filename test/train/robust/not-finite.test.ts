import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/hash.js';
import { loadLatestCheckpoint } from '../../../src/train/checkpoint.js';
import { prepareRun } from '../../../src/train/prepare-run.js';
import { tune } from '../../../src/train/tune.js';
import { CPU, useBackend } from '../../support/backends.js';
import { tinyRun } from '../../support/tiny-run.js';

const dir = mkdtempSync(join(tmpdir(), 'mimic-nan-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** The model's own values turn bad, as after a step that was too large. */
function spoil(run: Awaited<ReturnType<typeof prepareRun>>, pattern: RegExp, factor: number): void {
  const parameter = run.model.parameters.list().find(({ name }) => pattern.test(name));
  if (parameter === undefined) throw new Error(`no parameter like ${pattern}`);
  const held = parameter.value;
  parameter.value = tf.keep(tf.mul(held, factor));
  held.dispose();
}

describe('a loss or gradient that is not finite', () => {
  useBackend(CPU);

  const train = { groupByLength: false, saveEverySteps: 1, evalEverySteps: 100, epochs: 1 };
  const hashes = (run: Awaited<ReturnType<typeof prepareRun>>) =>
    run.model.parameters
      .trainable()
      .map(({ name, value }) => `${name} ${sha256(Buffer.from(value.dataSync().slice().buffer))}`);

  it.each([
    ['E_LOSS_NOT_FINITE', /projector|mlp1/, Number.NaN],
    // The loss stays finite: the norm is the first to overflow float32.
    ['E_GRADIENT_NOT_FINITE', /output\.weight/, 1e25],
  ])('ends with %s and the samples, and changes no weight', async (code, pattern, factor) => {
    const { config, frames } = await tinyRun(join(dir, code), { train: 4, validation: 2 }, { train });
    const run = await prepareRun(config, frames, false);
    spoil(run, pattern, factor);
    const before = hashes(run);
    const moments = run.optimizer.state();
    const loaded = await run.loader.load(0);
    // A loss tells which micro-batch it is of; the norm is that of all.
    const batches = code === 'E_LOSS_NOT_FINITE' ? loaded.batches.slice(0, 1) : loaded.batches;
    const ids = batches.flatMap(({ sampleIds }) => sampleIds).join(', ');
    const step = () => run.trainer.step(0, loaded.batches, 0.1);
    expect(step).toThrow(expect.objectContaining({ code }));
    expect(step).toThrow(new RegExp(`^Step 0: .*Samples: ${ids}\\.$`));
    expect(hashes(run)).toEqual(before);
    expect(run.optimizer.state()).toEqual(moments);
    run.dispose();
  });

  it('leaves the last checkpoint whole', async () => {
    const { config, frames } = await tinyRun(join(dir, 'run'), { train: 8, validation: 2 }, { train });
    const broken = { ...config, train: { ...config.train, learningRate: 1e30, warmupSteps: 0 } };
    const failure = await tune({ config: broken, frames, resume: false }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: expect.stringMatching(/^E_(LOSS|GRADIENT)_NOT_FINITE$/) });
    // The step that ruined the weights was saved before anyone could know; that folder is whole all the same.
    const { latest, skipped } = await loadLatestCheckpoint(join(dir, 'run/checkpoints/run'));
    expect([latest?.checkpoint.step, skipped]).toEqual([1, []]);
  });
});
