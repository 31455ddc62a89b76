/** Fine-tuning a published base in its own prompt, adapters alone: nothing of ours is trained, and nothing is in the way. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { log } from '../../src/base/logger.js';
import { MimicChat } from '../../src/infer/mimic-chat.js';
import { loadModelFolder } from '../../src/model/load.js';
import { writeRandomCheckpoint } from '../../src/model/random-weights/write-random-checkpoint.js';
import { openSafetensors } from '../../src/model/weights/safetensors.js';
import type { RunConfig } from '../../src/train/config.js';
import { tune } from '../../src/train/tune.js';
import { NATIVE } from '../backend/native.js';
import { useBackend } from '../support/backends.js';
import { randomVideo } from '../support/tiny-model.js';
import { tinyRun } from '../support/tiny-run.js';
import { temporaryFolder } from './temporary-folder.js';

const folder = temporaryFolder();

describe.each(['internvl2.5-8b', 'internvl2.5-1b'] as const)('tuning a tiny %s in prompt.layout internvl', (like) => {
  useBackend(NATIVE);
  const level = log.level;
  beforeAll(() => {
    log.level = 'silent';
  });
  afterAll(() => {
    log.level = level;
  });

  it('trains the adapters, saves them alone, and answers from what it saved', async () => {
    const base = join(folder, like);
    await writeRandomCheckpoint({ like, out: base, scale: 'tiny', dtype: 'fp32' });
    const untuned = await loadModelFolder(base);
    const run = await tinyRun(join(folder, `${like}-run`), { train: 2, validation: 1 });
    const { tokenizer: _ofBase, ...rest } = run.config;
    const config: RunConfig = {
      ...rest,
      base,
      model: { ...untuned.model.config, lora: { rank: 2, alpha: 4, dropout: 0 } },
      prompt: { template: 'internvl2_5', layout: 'internvl', wording: 'terse', systemPrompt: '' },
      train: { ...rest.train, parts: ['lora'], maxSteps: 2, maxLength: 4096 },
    };
    untuned.model.dispose();
    const video = randomVideo(config.model, 4);
    const losses: number[] = [];
    const result = await tune({
      ...{ config, resume: false, frames: async () => video },
      onStep: ({ loss }) => losses.push(loss),
    });
    expect(losses.every(Number.isFinite)).toBe(true);

    const saved = await openSafetensors(join(result.checkpointDir, 'model.safetensors'));
    const names = [...saved.tensors.keys()];
    await saved.close();
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !name.includes('.lora_'))).toEqual([]);

    const [before, after] = [await MimicChat.load(base), await MimicChat.load(result.checkpointDir)];
    expect(after.parts).toMatchObject({ prompt: config.prompt, contextLength: 4096 });
    const odds = [];
    for (const parts of [before.parts, after.parts]) {
      const session = await new MimicChat({ ...parts, prompt: config.prompt }).encode(video);
      odds.push((await session.choose('title ?', ['x', 'y'])).probabilities);
      session.dispose();
    }
    expect(odds[0]).not.toEqual(odds[1]);
    before.dispose();
    after.dispose();
  });
});
