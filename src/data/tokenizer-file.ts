/** tokenizer.json as read from disk: checked, and brought to the form that @xenova/transformers reads. */
import { z } from 'zod';
import { DataError } from '../base/errors.js';
import { type AddedToken, AddedTokenSchema } from './tokenizer-added.js';
import { canBeUnknown, isControlToken } from './tokenizer-control.js';
import { adaptPreTokenizer } from './tokenizer-pattern.js';

export const VocabSchema = z.custom<Record<string, number>>(isVocab, 'expected an object of ids by piece');

const FileSchema = z.looseObject({
  added_tokens: z.array(AddedTokenSchema).default([]),
  normalizer: z.unknown().optional(),
  pre_tokenizer: z.unknown().optional(),
  post_processor: z.unknown().optional(),
  decoder: z.unknown().optional(),
  model: z.looseObject({
    type: z.enum(['BPE', 'WordPiece']),
    vocab: VocabSchema,
    merges: z.array(z.unknown()).optional(),
    merge_groups: z.array(z.int().positive()).optional(),
    unk_token: z.string().nullish(),
  }),
});

export interface PlainJson {
  readonly normalizer?: unknown;
  readonly pre_tokenizer?: unknown;
  readonly decoder?: unknown;
  /** Tokens that text may spell, the longest first. */
  readonly added_tokens: readonly AddedToken[];
  readonly model: {
    readonly type: 'BPE' | 'WordPiece';
    readonly vocab: Readonly<Record<string, number>>;
    /** Joined: "left right". */
    readonly merges?: readonly string[] | undefined;
    /** Runs of merges of equal rank; see `MergeTable`. */
    readonly merge_groups?: readonly number[] | undefined;
    readonly [key: string]: unknown;
  };
}

/** for..in here and below: a list of the entries of a hundred thousand pieces takes three times as long. */
function isVocab(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const ids = value as Record<string, unknown>;
  for (const piece in ids) if (!Number.isInteger(ids[piece]) || Number(ids[piece]) < 0) return false;
  return true;
}

/** What a tokenizer.json says, split into what plain text may become and what only a template may write. */
export interface TokenizerFile {
  /** For PreTrainedTokenizer: without control tokens, so that no text can spell one. */
  readonly plainJson: PlainJson;
  /** Ids of all added tokens by name. */
  readonly added: ReadonlyMap<string, number>;
  /** Ids that decoding leaves out. */
  readonly controlIds: ReadonlySet<number>;
  /** One more than the highest id. */
  readonly vocabSize: number;
}

/**
 * @param source names the file in errors
 * @throws DataError E_TOKENIZER_FORMAT
 */
export function readTokenizerFile(json: unknown, source: string): TokenizerFile {
  const parsed = FileSchema.safeParse(json);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new DataError(
      'E_TOKENIZER_FORMAT',
      `${source}: not a tokenizer.json that can be used: ${issues.join('; ')}`,
      {
        hint: 'expected a Hugging Face tokenizer.json whose model is BPE or WordPiece',
      },
    );
  }
  const { added_tokens: addedTokens, model, ...rest } = parsed.data;
  checkAdded(addedTokens, source);
  const control = addedTokens.filter(isControlToken);
  const { merges, ...tables } = model;
  const controlIds = new Set(control.map(({ id }) => id));
  const vocab = plainVocab(model.vocab, control, controlIds, model.unk_token ?? undefined);
  return {
    plainJson: {
      normalizer: null,
      post_processor: null,
      decoder: null,
      ...rest,
      pre_tokenizer: adaptPreTokenizer(rest.pre_tokenizer ?? null, source),
      model: { ...tables, vocab, ...(merges && { merges: merges.map((merge) => joinMerge(merge, source)) }) },
      added_tokens: plainTokens(addedTokens),
    },
    added: new Map(addedTokens.map(({ content, id }) => [content, id])),
    controlIds,
    vocabSize: highestId(model.vocab, addedTokens) + 1,
  };
}

/**
 * The vocabulary without control tokens. Their ids may stand there under a second name, as [UNUSED_TOKEN_146] for
 * <|im_start|> in files made from InternLM2's tokenizer: spelled out, that must stay text as well.
 */
function plainVocab(
  vocab: Readonly<Record<string, number>>,
  control: readonly AddedToken[],
  controlIds: ReadonlySet<number>,
  unknown: string | undefined,
): Record<string, number> {
  const names = new Set(control.map(({ content }) => content));
  const plain: Record<string, number> = {};
  for (const piece in vocab) {
    const id = vocab[piece] ?? -1;
    const isControl = names.has(piece) || controlIds.has(id);
    if (isControl && !(piece === unknown && canBeUnknown(piece))) continue;
    if (piece === '__proto__') Object.defineProperty(plain, piece, { value: id, enumerable: true });
    else plain[piece] = id;
  }
  return plain;
}

/** Ids and names are one to one: a second name for a control token's id would be a way for text to spell it. */
function checkAdded(tokens: readonly AddedToken[], source: string): void {
  const seen = new Map<number | string, AddedToken>();
  for (const token of tokens) {
    const twin = seen.get(token.id) ?? seen.get(token.content);
    const got = twin && `${twin.content} (${twin.id}) and ${token.content} (${token.id})`;
    if (got !== undefined)
      throw new DataError('E_TOKENIZER_FORMAT', `${source}: added_tokens: got ${got}, expected each id and name once`);
    if (token.single_word && !isControlToken(token))
      throw new DataError('E_TOKENIZER_FORMAT', `${source}: added_tokens: ${token.content}: single_word is not known`);
    seen.set(token.id, token).set(token.content, token);
  }
}

/** Longest first: the reader takes the first that matches. */
function plainTokens(tokens: readonly AddedToken[]): AddedToken[] {
  return tokens.filter((token) => !isControlToken(token)).sort((a, b) => b.content.length - a.content.length);
}

/** Files written since 2024 hold a merge as a pair; the reader wants "left right". */
function joinMerge(merge: unknown, source: string): string {
  if (typeof merge === 'string' && /^[^ ]+ [^ ]+$/.test(merge)) return merge;
  const [left, right] = Array.isArray(merge) ? merge : [];
  if (typeof left === 'string' && typeof right === 'string' && !`${left}${right}`.includes(' '))
    return `${left} ${right}`;
  throw new DataError(
    'E_TOKENIZER_FORMAT',
    `${source}: model.merges: got ${JSON.stringify(merge)}, expected "a b" or ["a", "b"]`,
  );
}

function highestId(vocab: Readonly<Record<string, number>>, addedTokens: readonly AddedToken[]): number {
  let highest = -1;
  for (const piece in vocab) highest = Math.max(highest, vocab[piece] ?? -1);
  for (const { id } of addedTokens) highest = Math.max(highest, id);
  return highest;
}
