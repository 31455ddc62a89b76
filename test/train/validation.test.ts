import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHOICE_TASKS } from '../../src/data/tasks/types.js';
import { tune } from '../../src/train/tune.js';
import type { ValidationResult } from '../../src/train/validation.js';
import { CPU, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';
import { tinyRun } from '../support/tiny-run.js';

describe('validation during training', () => {
  useBackend(CPU);
  checkLeaks();
  let dir = '';
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'mimic-validation-'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  it('asks all seven tasks, also when it keeps a third of the questions', async () => {
    const { config, frames } = await tinyRun(dir, { train: 4, validation: 12 }, { train: { maxSteps: 1 } });
    const results: ValidationResult[] = [];
    const third = { ...config, data: { ...config.data, validationQuestions: 48 } };
    const onStep = ({ validation }: { validation?: ValidationResult }) => {
      if (validation !== undefined) results.push(validation);
    };
    await tune({ config: third, frames, resume: false, onStep });
    expect(results).toHaveLength(1);
    expect(results[0]?.questions).toBe(48);
    expect(Object.keys(results[0]?.byTask ?? {}).sort()).toEqual([...CHOICE_TASKS].sort());
  });

  it('refuses to train an encoder, whose gradients this loop does not compute', async () => {
    const { config, frames } = await tinyRun(dir, { train: 2, validation: 2 }, { name: 'encoder' });
    const asked = { ...config, train: { ...config.train, parts: ['lora' as const, 'spatial encoder' as const] } };
    await expect(tune({ config: asked, frames, resume: false })).rejects.toThrow(
      'train.parts names spatial encoder; this loop keeps encoders frozen.',
    );
  });
});
