/** Small tokenizer.json contents of the two families pretrained models use. */

const CONTROL = ['<unk>', '<s>', '</s>', '<|im_start|>', '<|im_end|>'];
const control = CONTROL.map((content, id) => ({ id, content, special: true }));
const number = (pieces: readonly string[]) => Object.fromEntries(pieces.map((piece, id) => [piece, id]));

/** SentencePiece-like BPE with byte fallback, as InternLM2's: no space is added, unknown characters become bytes. */
export function byteFallbackJson(merges: readonly unknown[] = ['h i', '▁ hi', 'A ns', 'n s']): object {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const characters = [...'▁abcdefghijklmnopqrstuvwxyzABCDIV?!.\n<>|_/[]'];
  const pieces = [...CONTROL, ...bytes, ...characters, 'hi', '▁hi', 'ns', 'Ans', '——', '—————'];
  const frozen = ['——', '—————'].map((content) => ({ id: pieces.indexOf(content), content, special: false }));
  return {
    added_tokens: [...control, ...frozen],
    normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    pre_tokenizer: null,
    // Would put <s> before every text if it were followed.
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: {},
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
      ],
    },
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: number(pieces),
      merges,
    },
  };
}

/** Byte-level BPE, as Qwen's: every byte is a printable character. */
export function byteLevelJson(): object {
  const printable = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let moved = 0;
  const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : 256 + moved++));
  return {
    added_tokens: control,
    normalizer: { type: 'NFC' },
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: true },
    model: {
      type: 'BPE',
      unk_token: null,
      ignore_merges: true,
      vocab: number([...CONTROL, ...bytes, 'hi']),
      merges: [['h', 'i']],
    },
  };
}
