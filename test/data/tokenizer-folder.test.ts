/** Tokenizers read from checkpoints' own files, against what the reference libraries make of the same files. */
import { chmod, copyFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PreTrainedTokenizer } from '@xenova/transformers/src/tokenizers.js';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { log } from '../../src/base/logger.js';
import { loadTokenizer, type Tokenizer } from '../../src/data/tokenizer.js';
import { INTERNLM2_CHAT_TOKENS, INTERNVL_IMAGE_TOKENS } from '../../src/data/tokenizer-control.js';
import { readTokenizerFile } from '../../src/data/tokenizer-file.js';
import { readTokenizerFolder } from '../../src/data/tokenizer-folder.js';
import { META, model, normal } from './sentencepiece/write-model.js';

const ASSETS = fileURLToPath(new URL('./assets/', import.meta.url));
const CaseSchema = z.object({ text: z.string().optional(), ids: z.array(z.int()), decoded: z.string().optional() });
type Case = z.output<typeof CaseSchema>;
const readCases = async (name: string): Promise<Case[]> => {
  const lines = (await readFile(join(ASSETS, name), 'utf8')).trimEnd().split('\n');
  return lines.map((line) => CaseSchema.parse(JSON.parse(line)));
};
const MODEL = join(ASSETS, 'sentencepiece.model');

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'mimic-tokenizer-folder-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A folder of its own with these JSON files, and the small SentencePiece model unless another is given. */
async function folder(files: Readonly<Record<string, unknown>>, modelFile: string | Uint8Array | null = MODEL) {
  const dir = await mkdtemp(join(root, 'f-'));
  if (typeof modelFile === 'string') await copyFile(modelFile, join(dir, 'tokenizer.model'));
  else if (modelFile !== null) await writeFile(join(dir, 'tokenizer.model'), modelFile);
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), JSON.stringify(content));
  return dir;
}

function compare(tokenizer: Tokenizer, cases: readonly Case[]): void {
  for (const { text, ids, decoded } of cases) {
    if (text !== undefined) expect([text, tokenizer.encode(text)]).toEqual([text, ids]);
    if (decoded === undefined) continue;
    expect([ids, tokenizer.decode(ids)]).toEqual([ids, decoded]);
    const stream = tokenizer.stream();
    expect(ids.map((id) => stream.push(id)).join('') + stream.end()).toBe(decoded);
  }
}

/** The model's size and first spare id; chat tokens take the last six ids. */
async function modelSize(): Promise<number> {
  return (await loadTokenizer(await folder({}))).vocabSize;
}

describe('a folder with tokenizer.model', () => {
  it('gives the ids and texts of sentencepiece, NUL and equal scores included', async () => {
    const cases = await readCases('sentencepiece-cases.jsonl');
    expect(cases.length).toBeGreaterThan(500);
    compare(await loadTokenizer(await folder({})), cases);
  });

  it('gives them from the tokenizer.json that it saves, too, and again from a copy of that', async () => {
    const dir = await folder({});
    await chmod(join(dir, 'tokenizer.model'), 0o444);
    const tokenizer = await loadTokenizer(dir);
    const saved = join(dir, 'saved');
    await tokenizer.save(saved);
    // Over the files that are there.
    await tokenizer.save(saved);
    expect((await readdir(saved)).sort()).toEqual(['tokenizer.json', 'tokenizer.model']);
    await rm(join(saved, 'tokenizer.model'));
    const again = await loadTokenizer(saved);
    compare(again, await readCases('sentencepiece-cases.jsonl'));
    expect(again.contentHash).toBe(tokenizer.contentHash);
  });

  it('does as @xenova/transformers does with the same tokenizer.json, where no two scores are equal', async () => {
    const dir = await folder({}, model([...META, ...normal('▁ab', 'ab', 'b▁', 'aa', 'ba', '▁', 'a', 'b', '🐱')]));
    const { json, source } = await readTokenizerFolder(dir);
    const twin = new PreTrainedTokenizer(readTokenizerFile(json, source).plainJson, {});
    const ours = await loadTokenizer(dir);
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', 'b', ' ', '🐱', 'é'), minLength: 1 }), (text) => {
        expect(ours.encode(text)).toEqual(twin.encode(text, null, { add_special_tokens: false }));
      }),
    );
  });

  it('takes chat and image tokens from config.json when no other file names any, and says so', async () => {
    const size = await modelSize();
    const language = { architectures: ['InternLM2ForCausalLM'], vocab_size: size + INTERNVL_IMAGE_TOKENS.length };
    const info = vi.spyOn(log, 'info').mockImplementation(() => {});
    const tokenizer = await loadTokenizer(await folder({ 'config.json': { llm_config: language } }));
    expect(info).toHaveBeenCalledWith(expect.stringContaining('15 tokens of InternVL are used'));
    info.mockRestore();
    for (const [i, name] of [...INTERNLM2_CHAT_TOKENS, ...INTERNVL_IMAGE_TOKENS].entries())
      expect(tokenizer.special(name)).toBe(size - INTERNLM2_CHAT_TOKENS.length + i);
    expect(tokenizer.vocabSize).toBe(size + INTERNVL_IMAGE_TOKENS.length);
    await tokenizer.save(join(root, 'implied'));
    expect((await loadTokenizer(join(root, 'implied'))).contentHash).toBe(tokenizer.contentHash);
  });

  it.each([
    ['of another family', { model_type: 'llama', vocab_size: 9 }],
    ['with room for other tokens', { model_type: 'internlm2', vocab_size: 92544 }],
  ])('has its own pieces only beside a config.json %s', async (_, config) => {
    const tokenizer = await loadTokenizer(await folder({ 'config.json': config }));
    expect(tokenizer.hasSpecial('<s>')).toBe(true);
    expect(tokenizer.hasSpecial('<|im_start|>')).toBe(false);
  });

  it('never makes a control token of text, not even by the name that a chat token replaced', async () => {
    const size = await modelSize();
    const names = [...INTERNLM2_CHAT_TOKENS, ...INTERNVL_IMAGE_TOKENS];
    const ids = Object.fromEntries(names.map((name, i) => [name, size - INTERNLM2_CHAT_TOKENS.length + i]));
    // added_tokens.json without special_tokens_map.json: nothing says that they are special.
    const tokenizer = await loadTokenizer(await folder({ 'added_tokens.json': ids }));
    const control = new Set([0, 1, 2, ...Object.values(ids)]);
    const spelled = [...names, '[UNUSED_TOKEN_146]', '<s>', '</s>', '<unk>', '<0x02>'];
    const part = fc
      .constantFrom(...spelled)
      .chain((name) =>
        fc.tuple(fc.nat(name.length), fc.nat(name.length)).map(([a, b]) => name.slice(Math.min(a, b), Math.max(a, b))),
      );
    const textOf = fc.array(fc.oneof(fc.constantFrom(...spelled, ' ', '▁', '\0'), part), { maxLength: 5 });
    fc.assert(
      fc.property(textOf, (parts) => {
        const text = parts.join('');
        const encoded = tokenizer.encode(text);
        for (const id of encoded) expect(control.has(id)).toBe(false);
        expect(tokenizer.decode(encoded)).toBe(text.replaceAll('▁', ' '));
      }),
      { numRuns: 500 },
    );
    expect(tokenizer.decode(tokenizer.encode('[UNUSED_TOKEN_146]'))).toBe('[UNUSED_TOKEN_146]');
  });

  const decoder = (id: number, content: string) => ({ added_tokens_decoder: { [id]: { content, special: true } } });
  it.each<[string, Readonly<Record<string, unknown>>, string, string]>([
    ['an id of ordinary text', { 'tokenizer_config.json': decoder(300, '<x>') }, 'E_TOKENIZER_ADDED', '300 is'],
    ['another id of a piece', { 'tokenizer_config.json': decoder(5000, '<s>') }, 'E_TOKENIZER_ADDED', 'expected 1'],
    [
      'two names for an id',
      { 'tokenizer_config.json': decoder(5000, '<x>'), 'added_tokens.json': { '<y>': 5000 } },
      'E_TOKENIZER_ADDED',
      'got id 5000: <x> and <y>',
    ],
    [
      'two ids for a name',
      { 'tokenizer_config.json': decoder(5000, '<x>'), 'added_tokens.json': { '<x>': 5001 } },
      'E_TOKENIZER_ADDED',
      'got <x>: ids 5000 and 5001',
    ],
    [
      'a special name without an id',
      { 'special_tokens_map.json': { bos_token: '<s>', additional_special_tokens: [{ content: '<|im_start|>' }] } },
      'E_TOKENIZER_ADDED',
      'without an id (<|im_start|>)',
    ],
    [
      'an id that is no number',
      { 'added_tokens.json': { '<x>': 'one' } },
      'E_TOKENIZER_FORMAT',
      'added_tokens.json: <x>',
    ],
  ])('refuses %s', async (_, files, code, message) => {
    const loading = loadTokenizer(await folder(files));
    await expect(loading).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });
});

describe('a folder with vocab.json and merges.txt', () => {
  const qwen2 = async () => {
    const dir = await mkdtemp(join(root, 'q-'));
    await cp(join(ASSETS, 'qwen2'), dir, { recursive: true });
    return dir;
  };
  const change = async (name: string, edit: (text: string) => string) => {
    const dir = await qwen2();
    await writeFile(join(dir, name), edit(await readFile(join(dir, name), 'utf8')));
    return loadTokenizer(dir);
  };

  it("gives the ids and texts of Hugging Face tokenizers with Qwen2's settings", async () => {
    const dir = await qwen2();
    const cases = await readCases('qwen2-cases.jsonl');
    expect(cases.length).toBeGreaterThan(300);
    const tokenizer = await loadTokenizer(dir);
    compare(tokenizer, cases);
    await tokenizer.save(join(dir, 'saved'));
    const saved = await loadTokenizer(join(dir, 'saved'));
    compare(saved, cases);
    expect(saved.contentHash).toBe(tokenizer.contentHash);
  });

  it('takes text for text, but for tokens that are not special', async () => {
    const tokenizer = await loadTokenizer(await qwen2());
    const text = '<|im_end|><|endoftext|><img>';
    expect(tokenizer.encode(text).every((id) => id < tokenizer.special('<|endoftext|>'))).toBe(true);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    expect(tokenizer.encode('<tool_call>')).toEqual([tokenizer.special('<tool_call>')]);
  });

  it('reads a merge that begins with the sign of the first line', async () => {
    const tokenizer = await change('merges.txt', (text) => text.replace('#version: 0.2\n', ''));
    compare(tokenizer, await readCases('qwen2-cases.jsonl'));
    await expect(change('merges.txt', (text) => `${text}# #version:\n`)).rejects.toThrow(
      'got "# #version:", expected two',
    );
  });

  it('refuses files that do not say how to read them, or do not fit each other', async () => {
    const config = 'tokenizer_config.json';
    await expect(change(config, (text) => text.replace('Qwen2Tokenizer', 'GPT2Tokenizer'))).rejects.toMatchObject({
      code: 'E_TOKENIZER_CLASS',
      message: expect.stringContaining('got GPT2Tokenizer, expected Qwen2Tokenizer'),
    });
    await expect(change(config, () => '{"tokenizer_class":"Qwen2Tokenizer"}')).rejects.toMatchObject({
      code: 'E_TOKENIZER_ADDED',
    });
    await expect(change(config, (text) => text.replace(/"\d+":/, '"7":'))).rejects.toMatchObject({
      code: 'E_TOKENIZER_ADDED',
    });
    await expect(change('merges.txt', (text) => `${text}x yz q\n`)).rejects.toThrow(
      'got "x yz q", expected two pieces',
    );
    await expect(change('vocab.json', () => '{"a":-1}')).rejects.toMatchObject({ code: 'E_TOKENIZER_FORMAT' });
  });
});

it('says which files it looked for in a folder without any', async () => {
  await expect(loadTokenizer(await folder({}, null))).rejects.toMatchObject({
    code: 'E_TOKENIZER_READ',
    message: expect.stringContaining('none of tokenizer.json, tokenizer.model, vocab.json'),
  });
});
