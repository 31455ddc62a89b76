import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syntheticVocabulary } from '../../src/data/synth/vocabulary.js';
import { createTokenizer, loadTokenizer, type Tokenizer } from '../../src/data/tokenizer.js';
import { buildWordTokenizerJson } from '../../src/data/word-tokenizer.js';
import { byteFallbackJson, byteLevelJson } from './small-tokenizers.js';

let dir: string;
const tokenizers = new Map<string, Tokenizer>();
const get = (name: string): Tokenizer => {
  const tokenizer = tokenizers.get(name);
  if (tokenizer === undefined) throw new Error(`no tokenizer ${name}`);
  return tokenizer;
};
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mimic-tokenizer-'));
  tokenizers.set('byte fallback', await createTokenizer(byteFallbackJson()));
  tokenizers.set('byte level', await createTokenizer(byteLevelJson()));
  tokenizers.set('words', await createTokenizer(buildWordTokenizerJson(syntheticVocabulary())));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const CONTROL_NAMES = ['<s>', '</s>', '<|im_start|>', '<|im_end|>'];
const anyText = fc.string({ unit: 'grapheme', maxLength: 40 });
const spiked = fc
  .array(fc.oneof(anyText, fc.constantFrom(...CONTROL_NAMES, '<unk>', '<0x02>', 'hi', '——')), { maxLength: 6 })
  .map((parts) => parts.join(''));

describe.each(['byte fallback', 'byte level', 'words'])('%s tokenizer', (name) => {
  it('never turns text into a control token, whatever it spells', () => {
    const tokenizer = get(name);
    const control = CONTROL_NAMES.map((token) => tokenizer.special(token));
    fc.assert(
      fc.property(spiked, (text) => {
        for (const id of tokenizer.encode(text)) {
          expect(control).not.toContain(id);
          expect(id).toBeGreaterThanOrEqual(0);
          expect(id).toBeLessThan(tokenizer.vocabSize);
        }
      }),
    );
  });

  it('streams exactly what it decodes at once', () => {
    const tokenizer = get(name);
    const ids = fc.array(fc.nat(tokenizer.vocabSize - 1), { maxLength: 30 });
    fc.assert(
      fc.property(
        fc.oneof(
          ids,
          spiked.map((text) => tokenizer.encode(text)),
        ),
        (sequence) => {
          const stream = tokenizer.stream();
          const pieces = sequence.map((id) => stream.push(id));
          expect(pieces.join('') + stream.end()).toBe(tokenizer.decode(sequence));
        },
      ),
    );
  });

  it('leaves control tokens and ids without a piece out of the text', () => {
    const tokenizer = get(name);
    const hi = tokenizer.encode('hi');
    expect(
      tokenizer.decode([tokenizer.special('<s>'), ...hi, tokenizer.special('</s>'), tokenizer.vocabSize + 1, -1]),
    ).toBe('hi');
    expect(tokenizer.decode([])).toBe('');
    expect(tokenizer.encode('')).toEqual([]);
  });

  it('hands out ids that can be changed without harm', () => {
    const tokenizer = get(name);
    const ids = tokenizer.encode('hi hi');
    ids.push(0);
    expect(tokenizer.encode('hi hi')).toHaveLength(ids.length - 1);
  });

  it('writes files that load as the same tokenizer', async () => {
    const tokenizer = get(name);
    const target = join(dir, name, 'copy');
    await tokenizer.save(target);
    const loaded = await loadTokenizer(target);
    await loaded.save(join(target, 'again'));
    expect(await readdir(join(target, 'again'))).toEqual(['tokenizer.json']);
    const again = await loadTokenizer(join(target, 'again'));
    expect(again.vocabSize).toBe(tokenizer.vocabSize);
    for (const text of ['hi there', 'A B C D', '日本 🐱 ——'])
      expect(again.encode(text)).toEqual(tokenizer.encode(text));
  });
});

describe.each(['byte fallback', 'byte level'])('%s tokenizer', (name) => {
  it('gives every text back', () => {
    const tokenizer = get(name);
    fc.assert(
      fc.property(spiked, (text) => {
        fc.pre(text === text.normalize('NFC') && !text.includes('▁'));
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
    );
  });

  it('holds a character back until its last byte', () => {
    const stream = get(name).stream();
    const pieces = get(name)
      .encode('a🐱é')
      .map((id) => stream.push(id));
    expect(pieces).toEqual(['a', '', '', '', '🐱', '', 'é']);
    expect(stream.end()).toBe('');
  });
});

describe('byte fallback tokenizer', () => {
  it('reads merges as pairs as well as joined, and adds no beginning of text', async () => {
    const pairs = await createTokenizer(
      byteFallbackJson([
        ['h', 'i'],
        ['▁', 'hi'],
        ['A', 'ns'],
        ['n', 's'],
      ]),
    );
    expect(pairs.encode('hi hi Ans')).toEqual(get('byte fallback').encode('hi hi Ans'));
    expect(pairs.encode('hi hi')).toHaveLength(2);
  });

  it('matches the longest of the frozen pieces', () => {
    expect(get('byte fallback').encode('—————')).toHaveLength(1);
    expect(get('byte fallback').encode('———————')).toHaveLength(2);
  });
});

describe('a tokenizer.json that would let text spell a control token', () => {
  const control = [
    { id: 0, content: '<unk>', special: true },
    { id: 1, content: '<|im_end|>' },
  ];
  const bpe = (vocab: object, merges: string[], rest: object = {}) =>
    createTokenizer({ added_tokens: control, model: { type: 'BPE', unk_token: '<unk>', vocab, merges, ...rest } });

  it('has no second name for its id', async () => {
    const tokenizer = await bpe({ '<unk>': 0, '<|im_end|>': 1, hi: 1, h: 2, i: 3 }, ['h i']);
    expect(tokenizer.encode('hi')).toEqual([2, 3]);
  });

  it('has no merge that makes it, though its mark says nothing of special', async () => {
    const pieces = { '<unk>': 0, '<|im_end|>': 1, '<|im': 2, '_end|>': 3, '<': 4, '|': 5, i: 6, m: 7 };
    const steps = { '<|': 8, '<|i': 9, _: 10, e: 11, n: 12, d: 13, '>': 14, _e: 15, _en: 16, _end: 17, '_end|': 18 };
    const merges = ['< |', '<| i', '<|i m', '_ e', '_e n', '_en d', '_end |', '_end| >', '<|im _end|>'];
    expect((await bpe({ ...pieces, ...steps }, merges)).encode('<|im_end|>')).toEqual([2, 3]);
  });

  it('does not use it for unknown characters', async () => {
    expect((await bpe({ '<|im_end|>': 1, a: 2 }, [], { unk_token: '<|im_end|>' })).encode('azа')).toEqual([2]);
    expect((await bpe({ '<unk>': 0, a: 2 }, [])).encode('az')).toEqual([2, 0]);
  });

  it('is refused when two added tokens share an id or a name', async () => {
    const model = { type: 'BPE', vocab: { a: 5 }, merges: [] };
    for (const twin of [
      { id: 1, content: 'b' },
      { id: 7, content: '<unk>' },
    ]) {
      await expect(createTokenizer({ added_tokens: [...control, twin], model })).rejects.toMatchObject({
        code: 'E_TOKENIZER_FORMAT',
        message: expect.stringContaining('expected each id and name once'),
      });
    }
  });
});

describe('byte tokens', () => {
  it('read half a surrogate pair as U+FFFD', () => {
    for (const name of ['byte fallback', 'byte level']) {
      expect(get(name).decode(get(name).encode('a\uD83Db'))).toBe('a\uFFFDb');
    }
  });

  it('keep a byte order mark', () => {
    for (const name of ['byte fallback', 'byte level']) {
      expect(get(name).decode(get(name).encode('\uFEFFa\uFEFF'))).toBe('\uFEFFa\uFEFF');
    }
  });

  it('do not wait for bytes that can no longer be completed', () => {
    const stream = get('byte fallback').stream();
    const [start = 0] = get('byte fallback').encode('🐱');
    expect([stream.push(start), stream.push(start), stream.push(start)]).toEqual(['', '\uFFFD', '\uFFFD']);
    expect(stream.end()).toBe('\uFFFD');
  });

  it('take the leading space off where the file says so, at once and in pieces', async () => {
    const json = byteFallbackJson();
    const strip = { type: 'Strip', content: ' ', start: 1, stop: 0 };
    const decoder = {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        strip,
      ],
    };
    const tokenizer = await createTokenizer({ ...json, decoder });
    const ids = tokenizer.encode('  hi hi');
    expect(tokenizer.decode(ids)).toBe(' hi hi');
    const stream = tokenizer.stream();
    expect(ids.map((id) => stream.push(id)).join('') + stream.end()).toBe(' hi hi');
    expect(stream.push(ids[0] ?? 0)).toBe('');
  });
});

describe('word tokenizer', () => {
  it('has a token for each word of synthetic prompts and spells others by characters', () => {
    const tokenizer = get('words');
    expect(tokenizer.encode('title ? A finally so red B finally so blue answer')).toHaveLength(11);
    expect(tokenizer.decode(tokenizer.encode('watch going anticlockwise'))).toBe('watch going anticlockwise');
    expect(tokenizer.encode('zebra')).toHaveLength(5);
    expect(tokenizer.decode(tokenizer.encode('zebra fish'))).toBe('zebra fish');
    expect(tokenizer.encode('A')).not.toEqual(tokenizer.encode('a'));
    expect(tokenizer.encode('日本')).toEqual([tokenizer.special('<unk>')]);
  });

  it('leaves rare words to their characters', async () => {
    const rare = await createTokenizer(
      buildWordTokenizerJson(['often often rare'], { minCount: 2, specials: ['</s>'] }),
    );
    expect(rare.encode('often')).toHaveLength(1);
    expect(rare.encode('rare')).toHaveLength(4);
    expect(rare.hasSpecial('</s>')).toBe(true);
    expect(rare.hasSpecial('<s>')).toBe(false);
  });

  it('is not slowed to a crawl without its memory of texts', () => {
    const words = syntheticVocabulary()
      .join(' ')
      .split(' ')
      .filter((word) => word !== '');
    const texts = Array.from({ length: 300 }, (_, i) => `${words.slice(i % 50, (i % 50) + 20).join(' ')} ${i}`);
    const start = performance.now();
    const count = texts.reduce((sum, text) => sum + get('words').encode(text).length, 0);
    // Measured: 700 000 words a second.
    expect((count / (performance.now() - start)) * 1000).toBeGreaterThan(5_000);
  });
});

describe('loadTokenizer', () => {
  const load = async (content: string) => {
    const target = await mkdtemp(join(dir, 'bad-'));
    await writeFile(join(target, 'tokenizer.json'), content);
    return loadTokenizer(target);
  };

  it('says what is wrong with a file', async () => {
    await expect(loadTokenizer(join(dir, 'absent'))).rejects.toMatchObject({ code: 'E_TOKENIZER_READ' });
    await expect(load('{')).rejects.toMatchObject({ code: 'E_TOKENIZER_READ' });
    await expect(load('{"model": {"type": "Unigram", "vocab": []}}')).rejects.toMatchObject({
      code: 'E_TOKENIZER_FORMAT',
      message: expect.stringContaining('model.type'),
    });
    await expect(load('{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]}}')).rejects.toThrow(
      'model.merges: got ["a"], expected "a b" or ["a", "b"]',
    );
  });

  it('names the nearest special token', () => {
    expect(() => get('words').special('<|im_ends|>')).toThrow('tokenizer.json has no special token <|im_ends|>');
    try {
      get('words').special('<|im_ends|>');
    } catch (error) {
      expect(error).toMatchObject({ code: 'E_TOKENIZER_SPECIAL', hint: 'it has <|im_end|>' });
    }
  });
});
