import type { PreTrainedTokenizer } from '@xenova/transformers/src/tokenizers.js';
import { DataError } from '../base/errors.js';
import { SymbolMerger } from './bpe/merge-symbols.js';
import { MergeTable } from './bpe/merge-table.js';
import { DecodeStream, type TextStream } from './decode-stream.js';
import { PieceStream } from './piece-stream.js';
import { pieceTexts } from './piece-texts.js';
import { splitAtTokens } from './split-at-tokens.js';
import type { PlainJson, TokenizerFile } from './tokenizer-file.js';

/** A tokenizer.json at work: @xenova/transformers with its slow or inexact parts replaced. */
export interface TokenizerEngine {
  encode(text: string): number[];
  /** @param hidden ids that leave no text */
  decode(ids: readonly number[], hidden: (id: number) => boolean): string;
  stream(hidden: (id: number) => boolean): TextStream;
}

/**
 * The library's normalizers, pre-tokenizers and models run the file. In their place stand
 * - `SymbolMerger` for its loop over merges, which takes 10 s a MB, and ranks equal scores by their order in the table;
 * - `splitAtTokens` for its split at added tokens, which makes as many entries a match as there are tokens;
 * - `PieceStream` for its byte decoders, which lose U+FEFF and know no streams.
 *
 * @throws DataError E_TOKENIZER_FORMAT, E_TOKENIZER_MERGES
 */
export async function openEngine({ plainJson }: TokenizerFile, source: string): Promise<TokenizerEngine> {
  // Imported on first use: the module loads a native runtime that most commands never need.
  const { PreTrainedTokenizer } = await import('@xenova/transformers/src/tokenizers.js');
  const ours = hasOwnMerges(plainJson);
  const json = ours ? { ...plainJson, model: withoutTables(plainJson.model) } : plainJson;
  let plain: PreTrainedTokenizer;
  try {
    plain = new PreTrainedTokenizer(json, {});
  } catch (cause) {
    throw new DataError('E_TOKENIZER_FORMAT', `${source}: ${(cause as Error).message}`, {
      hint: 'this tokenizer.json uses a part that @xenova/transformers does not know',
      cause,
    });
  }
  if (ours) {
    const { merges = [], merge_groups: groups, vocab } = plainJson.model;
    const { tokens_to_ids: ids, vocab: pieces } = plain.model;
    for (const piece in vocab) {
      const id = vocab[piece] ?? 0;
      // Added tokens are there already.
      if (!ids.has(piece)) ids.set(piece, id);
      pieces[id] ??= piece;
    }
    const merger = new SymbolMerger(ids, MergeTable.of(ids, merges, groups));
    plain.model.bpe = (text) => merger.split(text);
  }
  const split = splitAtTokens(plainJson);
  if (split !== null) plain.added_tokens_regex = null;
  const encodePart = (text: string) =>
    plain.encode(text, null, { add_special_tokens: false }).filter((id) => id !== undefined);
  const texts = pieceTexts(plainJson, plain.model.vocab);
  return {
    encode(text) {
      const ids = split === null ? encodePart(text) : split(text, encodePart);
      // The library remembers all texts for good.
      plain.model.cache?.clear();
      return ids;
    },
    decode(ids, hidden) {
      if (texts === null) return decodeAll(plain, ids, hidden);
      const stream = new PieceStream(texts, hidden);
      let text = '';
      for (const id of ids) text += stream.push(id);
      return text + stream.end();
    },
    stream(hidden) {
      if (texts !== null) return new PieceStream(texts, hidden);
      return new DecodeStream((ids) => decodeAll(plain, ids, hidden));
    },
  };
}

/** BPE as all recent tokenizers have it: no marks at the ends of words. */
function hasOwnMerges({ model }: PlainJson): boolean {
  return model.type === 'BPE' && !model['continuing_subword_prefix'] && !model['end_of_word_suffix'];
}

/** Tables are put in place afterwards: the library's constructor takes several times as long over them. */
function withoutTables(model: PlainJson['model']): object {
  const unknown = model['unk_token'];
  const id = typeof unknown === 'string' ? model.vocab[unknown] : undefined;
  return { ...model, merges: [], vocab: id === undefined ? {} : { [String(unknown)]: id } };
}

function decodeAll(plain: PreTrainedTokenizer, ids: readonly number[], hidden: (id: number) => boolean): string {
  const visible = ids.filter((id) => !hidden(id));
  if (visible.length === 0) return '';
  return plain.decode(visible, { skip_special_tokens: false, clean_up_tokenization_spaces: false });
}
