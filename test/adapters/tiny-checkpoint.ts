import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { z } from 'zod';
import { Rng } from '../../src/base/rng.js';
import { createTokenizer } from '../../src/data/tokenizer.js';
import { buildWordTokenizerJson } from '../../src/data/word-tokenizer.js';
import type { ModelSchema } from '../../src/model/config.js';
import { writeSafetensors } from '../../src/model/weights/safetensors-writer.js';
import { tinyConfig, tinyModel } from '../support/tiny-model.js';

const WORDS = 'title topic comment ? A B C D answer red blue green cat dog so nice very cute';
const PARTS_OF_BASE = new Set(['spatial encoder', 'temporal encoder', 'language model']);

type Overrides = Partial<z.input<typeof ModelSchema>>;

export interface TinyFolders {
  readonly base: string;
  readonly checkpoint: string;
}

/**
 * A base and a checkpoint over it as training leaves them: LoRA with B away from zero, projectors, positions and gates in the
 * checkpoint's own file. A TF.js backend must run.
 */
export async function writeTinyCheckpoint(dir: string, overrides: Overrides = {}): Promise<TinyFolders> {
  const [base, checkpoint] = [join(dir, 'base'), join(dir, 'checkpoint')];
  mkdirSync(base, { recursive: true });
  mkdirSync(checkpoint, { recursive: true });
  const json = buildWordTokenizerJson([WORDS]);
  const { vocabSize } = await createTokenizer(json);
  writeFileSync(join(base, 'tokenizer.json'), JSON.stringify(json));
  const language = { ...tinyConfig().language, ...overrides.language, vocabSize };
  const model = tinyModel({ ...overrides, language });
  const rng = new Rng(5, 'trained');
  const entries = model.parameters.list().map(({ name, shape, part, value }) => {
    const stream = rng.fork(name);
    // What starts at zero or one must not be mistaken for what was trained.
    const isFresh = name.endsWith('lora_B.weight') || ['positions', 'gated fusion'].includes(part);
    const data = isFresh ? value.dataSync<'float32'>().map(() => stream.normal() * 0.3) : value.dataSync<'float32'>();
    return { name, dtype: 'F32' as const, shape, data: Float32Array.from(data), part };
  });
  model.dispose();
  const sections = {
    model: model.config,
    prompt: { template: 'plain', layout: 'paper', wording: 'terse' },
    video: {},
    train: { maxLength: 200 },
  };
  await writeSafetensors(
    join(base, 'model.safetensors'),
    entries.filter(({ part }) => PARTS_OF_BASE.has(part)),
  );
  await writeSafetensors(
    join(checkpoint, 'model.safetensors'),
    entries.filter(({ part }) => !PARTS_OF_BASE.has(part)),
  );
  writeFileSync(join(base, 'config.yaml'), stringify({ ...sections, model: { ...model.config, lora: { rank: 0 } } }));
  writeFileSync(join(checkpoint, 'config.yaml'), stringify({ base: '../base', ...sections }));
  return { base, checkpoint };
}
