import { DecodeStream } from '../../src/data/decode-stream.js';
import type { Tokenizer } from '../../src/data/tokenizer.js';

const SPECIALS = ['<s>', '</s>', '<|im_start|>', '<|im_end|>', '<img>', '</img>'];
const FIRST_SPECIAL = 256;

/** Bytes of UTF-8 as token ids, and the control tokens of the templates after them. */
export const byteTokenizer: Tokenizer = {
  vocabSize: FIRST_SPECIAL + SPECIALS.length,
  contentHash: 'bytes',
  encode: (text) => [...Buffer.from(text, 'utf8')],
  special(name) {
    const index = SPECIALS.indexOf(name);
    if (index < 0) throw new Error(`no special token ${name}`);
    return FIRST_SPECIAL + index;
  },
  hasSpecial: (name) => SPECIALS.includes(name),
  decode: (ids) => Buffer.from(ids.filter((id) => id < FIRST_SPECIAL)).toString('utf8'),
  stream: () => new DecodeStream((ids) => byteTokenizer.decode(ids)),
  save: async () => {},
};

export const END_ID = byteTokenizer.special('</s>');
export const byteOf = (character: string): number => character.charCodeAt(0);
