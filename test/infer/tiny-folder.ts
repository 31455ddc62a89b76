import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { createTokenizer } from '../../src/data/tokenizer.js';
import { buildWordTokenizerJson } from '../../src/data/word-tokenizer.js';
import { writeSafetensors } from '../../src/model/weights/safetensors-writer.js';
import { tinyConfig, tinyModel } from '../support/tiny-model.js';

const WORDS = 'title topic comment ? A B C D answer red blue green cat dog so nice very cute';

/** Writes a model folder with random weights; a TF.js backend must run. */
export async function writeTinyFolder(dir: string): Promise<void> {
  mkdirSync(dir, { recursive: true });
  const json = buildWordTokenizerJson([WORDS]);
  const { vocabSize } = await createTokenizer(json);
  writeFileSync(join(dir, 'tokenizer.json'), JSON.stringify(json));
  const model = tinyModel({ language: { ...tinyConfig().language, vocabSize } });
  const prompt = { template: 'plain', layout: 'paper', wording: 'terse' };
  writeFileSync(
    join(dir, 'config.yaml'),
    stringify({ model: model.config, prompt, video: {}, train: { maxLength: 120 } }),
  );
  await writeSafetensors(
    join(dir, 'model.safetensors'),
    model.parameters
      .list()
      .map(({ name, shape, value }) => ({ name, dtype: 'F32', shape, data: value.dataSync<'float32'>() })),
  );
  model.dispose();
}

/** Renders a clip of 8 frames of moving test bars. */
export function makeClip(path: string, seed: number): void {
  const source = `testsrc=size=32x32:rate=8:duration=1,hue=h=${seed * 40}`;
  execFileSync('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-i', source, '-pix_fmt', 'yuv420p', path]);
}
