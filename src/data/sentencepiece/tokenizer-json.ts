import { DataError } from '../../base/errors.js';
import type { AddedToken } from '../tokenizer-added.js';
import { mergesOf } from './merges.js';
import type { SentencePieceModel } from './model.js';
import { PIECE_TYPE, type Piece } from './pieces.js';

export const SPACE_MARK = '\u2581';

/**
 * The tokenizer.json that stands for a SentencePiece BPE model: the same ids for every text.
 *
 * USER_DEFINED pieces become added tokens that are not special: text may spell them, and they never merge further.
 * `model.merge_groups` is ours (other readers skip it): runs of merges whose scores are equal, see `mergesOf`.
 *
 * @param added tokens of the files beside the model; those with the id of a USER_DEFINED piece take its place
 * @param source names the model in errors
 * @throws DataError E_TOKENIZER_ADDED
 */
export function sentencePieceJson(model: SentencePieceModel, added: readonly AddedToken[], source: string): object {
  const names = model.pieces.map(({ text }) => text);
  const ids = new Map(names.map((name, id) => [name, id]));
  for (const token of added) place(token, model.pieces, names, ids, source);
  const tokens = new Map<number, AddedToken>();
  for (const [id, { text, type }] of model.pieces.entries()) {
    if (type === PIECE_TYPE.userDefined) tokens.set(id, plainToken(id, text));
    else if (type === PIECE_TYPE.control || type === PIECE_TYPE.unknown)
      tokens.set(id, { ...plainToken(id, text), special: true });
  }
  for (const token of added) tokens.set(token.id, token);
  const { merges, groups } = mergesOf(model.pieces);
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [...tokens.values()].sort((a, b) => a.id - b.id),
    normalizer: { type: 'Replace', pattern: { String: ' ' }, content: SPACE_MARK },
    pre_tokenizer: null,
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: SPACE_MARK }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
      ],
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: names[model.unknownId],
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: model.byteFallback,
      ignore_merges: false,
      vocab: Object.fromEntries(names.map((name, id) => [name, id])),
      merges,
      merge_groups: groups,
    },
  };
}

function plainToken(id: number, content: string): AddedToken {
  // A piece with the space mark is looked for where spaces are marks already.
  const normalized = content.includes(SPACE_MARK);
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized, special: false };
}

/** Gives the token's id its name, if that takes nothing from the text. */
function place(
  { id, content }: AddedToken,
  pieces: readonly Piece[],
  names: string[],
  ids: ReadonlyMap<string, number>,
  source: string,
): void {
  const wrong = (expected: string) =>
    new DataError('E_TOKENIZER_ADDED', `${source}: got added token ${content} with id ${id}, expected ${expected}`, {
      hint: 'the files beside the model belong to another tokenizer; copy all of them from one checkpoint',
    });
  const twin = ids.get(content);
  if (twin !== undefined && twin !== id) throw wrong(`${twin}, the id of the piece of that name`);
  const piece = pieces[id];
  if (piece === undefined || piece.text === content) return;
  if (piece.type !== PIECE_TYPE.userDefined)
    throw wrong(`an id of its own or of a spare piece; ${id} is ${JSON.stringify(piece.text)}`);
  names[id] = content;
}
