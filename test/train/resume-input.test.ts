import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tune } from '../../src/train/tune.js';
import { CPU, useBackend } from '../support/backends.js';
import { tinyRun } from '../support/tiny-run.js';

describe("a checkpoint's input.json", () => {
  useBackend(CPU);
  let dir: string;
  let tiny: Awaited<ReturnType<typeof tinyRun>>;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'resume-input-'));
    tiny = await tinyRun(dir, { train: 4, validation: 2 }, { train: { epochs: 2, maxSteps: 2 } });
    await tune({ ...tiny, resume: false, signal: new AbortController().signal });
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it('is saved, and listed in the manifest', () => {
    const folder = join(dir, 'checkpoints', 'run', 'best');
    const input = JSON.parse(readFileSync(join(folder, 'input.json'), 'utf8'));
    expect(input.fields).toMatchObject({ 'prompt.template': 'plain', 'prompt.wording': 'terse', 'video.size': 8 });
    const manifest = JSON.parse(readFileSync(join(folder, 'MANIFEST.json'), 'utf8'));
    expect(manifest.files.map(({ name }: { name: string }) => name)).toContain('input.json');
    expect(readdirSync(folder)).toContain('tokenizer.json');
  });

  it('keeps a resumed run from another tokenizer, whose folder a configuration may change', async () => {
    const path = join(dir, 'tokenizer', 'tokenizer.json');
    const text = readFileSync(path, 'utf8');
    const json = JSON.parse(text);
    const { vocab } = json.model;
    const [first = '', second = ''] = Object.keys(vocab).filter((word) => /^[a-z]{4,}$/.test(word));
    [vocab[first], vocab[second]] = [vocab[second], vocab[first]];
    writeFileSync(path, JSON.stringify(json));
    const resumed = tune({ ...tiny, resume: true, signal: new AbortController().signal });
    await expect(resumed).rejects.toMatchObject({
      code: 'E_INPUT_DRIFT',
      message: expect.stringMatching(/1 field differs:\n {2}tokenizer\.sha256/),
    });
    writeFileSync(path, text);
    await tune({ ...tiny, resume: true, signal: new AbortController().signal });
  });
});
