import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { log } from '../../src/base/logger.js';
import { loadModelFolder } from '../../src/model/load.js';
import { tune } from '../../src/train/tune.js';
import {
  type NamedValues,
  randomValues,
  toInternvlHf,
  toTimesformerFb,
  writeFolder,
} from '../model/checkpoints/tiny-published.js';
import { CPU, useBackend } from '../support/backends.js';
import { checkLeaks } from '../support/leak-check.js';
import { tinyRun } from '../support/tiny-run.js';
import { temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();

describe('a run on published weights', () => {
  useBackend(CPU);
  checkLeaks();
  const level = log.level;
  beforeAll(() => {
    log.level = 'silent';
  });
  afterAll(() => {
    log.level = level;
  });

  it('starts from base and temporalBase, and its checkpoint loads with both', async () => {
    const run = await tinyRun(join(folder, 'a'), { train: 2, validation: 2 }, { train: { maxSteps: 1 } });
    const frozen = randomValues(run.config.model, /^(?:vision_model|language_model|timesformer)\.(?!.*lora)/);
    const named = (prefix: string): NamedValues => new Map([...frozen].filter(([name]) => name.startsWith(prefix)));
    const base = await writeFolder(join(folder, 'base'), {
      weights: toInternvlHf(new Map([...named('vision'), ...named('language')]), 'old'),
    });
    const config = { ...run.config, base };

    await expect(tune({ ...run, config, resume: false })).rejects.toThrow(
      /no weights of temporal encoder, which would stay frozen at random values/,
    );
    const temporalBase = await writeFolder(join(folder, 'temporal'), {
      weights: toTimesformerFb(named('timesformer')),
    });
    const result = await tune({ ...run, config: { ...config, temporalBase }, resume: false });

    const saved: unknown = parse(await readFile(join(result.checkpointDir, 'config.yaml'), 'utf8'));
    expect(saved).toMatchObject({ base: '../../../../base', temporalBase: '../../../../temporal' });
    const loaded = await loadModelFolder(result.checkpointDir);
    for (const [name, { data }] of frozen) {
      expect(Array.from(loaded.model.parameters.get(name)?.value.dataSync() ?? []), name).toEqual(Array.from(data));
    }
    expect(loaded.weightFiles).toHaveLength(3);
    expect(loaded.tokenizerDir).toBe(result.checkpointDir);
    loaded.model.dispose();
  });
});
