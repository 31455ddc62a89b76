import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { log } from '../../src/base/logger.js';
import { inputJson } from '../../src/data/input-file.js';
import { checkInput, fingerprintInput, inputDifferences, type ModelInput } from '../../src/data/input-fingerprint.js';
import { PromptSchema } from '../../src/data/prompt.js';
import { createTokenizer } from '../../src/data/tokenizer.js';
import { SamplingSchema } from '../../src/data/video/sampling.js';
import { buildWordTokenizerJson } from '../../src/data/word-tokenizer.js';
import { tinyConfig } from '../support/tiny-model.js';

const input = (overrides: Partial<ModelInput> = {}): ModelInput => ({
  tokenizer: { contentHash: 'a', vocabSize: 23 },
  prompt: PromptSchema.parse({}),
  sampling: SamplingSchema.parse({ size: 8 }),
  model: tinyConfig(),
  ...overrides,
});

describe('the fingerprint of inputs', () => {
  const was = fingerprintInput(input());
  const lines = (overrides: Partial<ModelInput>) =>
    inputDifferences(was.fields, fingerprintInput(input(overrides)).fields).map((line) => line.split(':')[0]);

  it('is the same for the same inputs, and differs with each thing that makes them', () => {
    expect(fingerprintInput(input())).toEqual(was);
    expect(lines({})).toEqual([]);
    expect(lines({ tokenizer: { contentHash: 'b', vocabSize: 23 } })).toEqual(['tokenizer.sha256']);
    expect(lines({ prompt: PromptSchema.parse({ wording: 'terse', systemPrompt: 'x' }) })).toEqual([
      ...['prompt.wording', 'prompt.systemPrompt'],
    ]);
    expect(lines({ sampling: SamplingSchema.parse({ size: 8, temporal: { fps: 2 } }) })).toEqual([
      'video.temporal.fps',
    ]);
    const { spatial, temporal } = tinyConfig();
    expect(lines({ model: tinyConfig({ spatial: { ...spatial, mean: [0.5, 0.5, 0.5] } }) })).toEqual(['spatial.mean']);
    expect(lines({ model: tinyConfig({ temporal: { ...temporal, std: [1, 1, 1] } }) })).toEqual(['temporal.std']);
    expect(fingerprintInput(input({ tokenizer: { contentHash: 'b', vocabSize: 23 } })).sha256).not.toBe(was.sha256);
  });

  it('says nothing of sizes inside the model, nor of a branch that is off', () => {
    const { language } = tinyConfig();
    expect(lines({ model: tinyConfig({ language: { ...language, numLayers: 1 } }) })).toEqual([]);
    const off = tinyConfig({ ablate: 'no-temporal-encoder' });
    const [all, one] = [{}, { maxFrames: 1 }].map((temporal) => {
      return fingerprintInput(input({ model: off, sampling: SamplingSchema.parse({ size: 8, temporal }) }));
    });
    expect(all).toEqual(one);
  });

  it('takes a field that came later for its default', () => {
    const { 'prompt.wording': _, ...older } = was.fields;
    expect(inputDifferences(older, was.fields)).toEqual([]);
    const terse = fingerprintInput(input({ prompt: PromptSchema.parse({ wording: 'terse' }) }));
    expect(inputDifferences(older, terse.fields)).toEqual(['prompt.wording: "natural" when saved, "terse" now']);
  });

  describe('in a folder', () => {
    let dir: string;
    beforeEach(() => {
      dir = mkdtempSync(join(tmpdir(), 'input-'));
      writeFileSync(join(dir, 'input.json'), inputJson(was));
    });
    afterEach(() => {
      vi.restoreAllMocks();
      rmSync(dir, { recursive: true });
    });

    it('passes what is the same, and names all that differs', async () => {
      await checkInput(dir, was);
      const other = fingerprintInput(
        input({ tokenizer: { contentHash: 'b', vocabSize: 24 }, sampling: SamplingSchema.parse({ size: 16 }) }),
      );
      await expect(checkInput(dir, other)).rejects.toMatchObject({
        code: 'E_INPUT_DRIFT',
        message: expect.stringMatching(
          /3 fields differ:\n {2}tokenizer\.sha256: "a" when saved, "b" now\n.*vocabSize.*\n.*video\.size: 8 when saved, 16 now/,
        ),
      });
    });

    it('refuses a file that was edited or is none', async () => {
      const path = join(dir, 'input.json');
      writeFileSync(path, readFileSync(path, 'utf8').replace('"tokenizer.sha256": "a"', '"tokenizer.sha256": "b"'));
      await expect(checkInput(dir, was)).rejects.toMatchObject({ code: 'E_INPUT_FILE' });
      writeFileSync(path, '{"format": "other"}');
      await expect(checkInput(dir, was)).rejects.toMatchObject({ code: 'E_INPUT_FILE' });
      writeFileSync(path, '{');
      await expect(checkInput(dir, was)).rejects.toMatchObject({ code: 'E_INPUT_FILE' });
    });

    it('is missed in a checkpoint with one warning, and in other folders without', async () => {
      const warn = vi.spyOn(log, 'warn').mockImplementation(() => {});
      rmSync(join(dir, 'input.json'));
      await checkInput(dir, was);
      expect(warn).not.toHaveBeenCalled();
      writeFileSync(join(dir, 'MANIFEST.json'), '{}');
      await checkInput(dir, was);
      expect(warn).toHaveBeenCalledOnce();
    });
  });
});

describe("a tokenizer's content hash", () => {
  const FileSchema = z.looseObject({
    model: z.looseObject({ vocab: z.record(z.string(), z.number()) }),
    added_tokens: z.array(z.unknown()),
  });
  const json = FileSchema.parse(buildWordTokenizerJson(['red blue green cat dog']));
  const hashOf = async (change: (copy: typeof json) => void = () => {}) => {
    const copy = structuredClone(json);
    change(copy);
    return (await createTokenizer(copy)).contentHash;
  };

  it('is of what it does, not of how its file is written', async () => {
    expect(await hashOf()).toMatch(/^[0-9a-f]{64}$/);
    expect(await hashOf((copy) => Object.assign(copy, { truncation: null, version: '9' }))).toBe(await hashOf());
    const reversed = (copy: typeof json) => {
      copy.model.vocab = Object.fromEntries(Object.entries(copy.model.vocab).reverse());
    };
    expect(await hashOf(reversed)).toBe(await hashOf());
  });

  it('changes with an id, a piece, an added token and a normalizer', async () => {
    const hashes = [
      await hashOf(),
      await hashOf(({ model: { vocab } }) => {
        [vocab['cat'], vocab['dog']] = [vocab['dog'] ?? 0, vocab['cat'] ?? 0];
      }),
      await hashOf(({ model: { vocab } }) => {
        vocab['bird'] = vocab['cat'] ?? 0;
        delete vocab['cat'];
      }),
      await hashOf((copy) => Object.assign(copy, { normalizer: { type: 'Lowercase' } })),
      await hashOf((copy) => {
        copy.added_tokens = copy.added_tokens.slice(1);
      }),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});
