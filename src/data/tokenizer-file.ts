/** tokenizer.json as read from disk: checked, and brought to the form that @xenova/transformers reads. */
import { z } from 'zod';
import { DataError } from '../base/errors.js';

const AddedTokenSchema = z.looseObject({
  id: z.int().nonnegative(),
  content: z.string().min(1),
  special: z.boolean().default(false),
});
type AddedToken = z.output<typeof AddedTokenSchema>;

const FileSchema = z.looseObject({
  added_tokens: z.array(AddedTokenSchema).default([]),
  normalizer: z.unknown().optional(),
  pre_tokenizer: z.unknown().optional(),
  post_processor: z.unknown().optional(),
  decoder: z.unknown().optional(),
  model: z.looseObject({
    type: z.enum(['BPE', 'WordPiece']),
    vocab: z.custom<Record<string, number>>(
      (vocab) => typeof vocab === 'object' && vocab !== null,
      'expected an object',
    ),
    merges: z.array(z.unknown()).optional(),
    unk_token: z.string().nullish(),
  }),
});

/** What a tokenizer.json says, split into what plain text may become and what only a template may write. */
export interface TokenizerFile {
  /** For PreTrainedTokenizer: without control tokens, so that no text can spell one. */
  readonly plainJson: object;
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
  const control = addedTokens.filter(({ special }) => special);
  const vocab = { ...model.vocab };
  for (const { content } of control) if (content !== model.unk_token) delete vocab[content];
  return {
    plainJson: {
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      decoder: null,
      ...rest,
      model: {
        ...model,
        vocab,
        ...(model.merges && { merges: model.merges.map((merge) => joinMerge(merge, source)) }),
      },
      added_tokens: plainTokens(addedTokens),
    },
    added: new Map(addedTokens.map(({ content, id }) => [content, id])),
    controlIds: new Set(control.map(({ id }) => id)),
    vocabSize: highestId(Object.values(model.vocab), addedTokens) + 1,
  };
}

/** Longest first: the reader takes the first that matches. */
function plainTokens(tokens: readonly AddedToken[]): AddedToken[] {
  return tokens.filter(({ special }) => !special).sort((a, b) => b.content.length - a.content.length);
}

/** Files written since 2024 hold a merge as a pair; the reader wants "left right". */
function joinMerge(merge: unknown, source: string): string {
  if (typeof merge === 'string') return merge;
  const [left, right] = Array.isArray(merge) ? merge : [];
  if (typeof left === 'string' && typeof right === 'string' && !`${left}${right}`.includes(' '))
    return `${left} ${right}`;
  throw new DataError(
    'E_TOKENIZER_FORMAT',
    `${source}: model.merges: got ${JSON.stringify(merge)}, expected "a b" or ["a", "b"]`,
  );
}

function highestId(ids: readonly number[], addedTokens: readonly AddedToken[]): number {
  let highest = -1;
  for (const id of ids) highest = Math.max(highest, id);
  for (const { id } of addedTokens) highest = Math.max(highest, id);
  return highest;
}
