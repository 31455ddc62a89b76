/** Tokens beside the vocabulary, as tokenizer_config.json, added_tokens.json and special_tokens_map.json give them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DataError } from '../base/errors.js';

export const AddedTokenSchema = z.looseObject({
  id: z.int().nonnegative(),
  content: z.string().min(1),
  single_word: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  normalized: z.boolean().default(false),
  special: z.boolean().default(false),
});
export type AddedToken = z.output<typeof AddedTokenSchema>;

const NameSchema = z.union([z.string(), z.looseObject({ content: z.string() }).transform(({ content }) => content)]);
const SpecialNames = {
  bos_token: NameSchema.nullish(),
  eos_token: NameSchema.nullish(),
  unk_token: NameSchema.nullish(),
  pad_token: NameSchema.nullish(),
  sep_token: NameSchema.nullish(),
  cls_token: NameSchema.nullish(),
  mask_token: NameSchema.nullish(),
  additional_special_tokens: z.array(NameSchema).nullish(),
};
const MapSchema = z.looseObject(SpecialNames);
const ConfigSchema = z.looseObject({
  ...SpecialNames,
  added_tokens_decoder: z.record(z.string().regex(/^\d{1,9}$/), AddedTokenSchema.omit({ id: true })).nullish(),
  tokenizer_class: z.string().nullish(),
});
const IdsSchema = z.record(z.string(), z.int().nonnegative());

export interface AddedTokens {
  /** Each id and each content once, by id. */
  readonly tokens: readonly AddedToken[];
  /** Names that the files call special; those outside `tokens` should be in the vocabulary. */
  readonly specialNames: ReadonlySet<string>;
  readonly tokenizerClass: string | undefined;
}

/** @throws DataError E_TOKENIZER_READ, E_TOKENIZER_FORMAT, E_TOKENIZER_ADDED when two files contradict each other */
export async function readAddedTokens(dir: string): Promise<AddedTokens> {
  const config = await readJson(join(dir, 'tokenizer_config.json'), ConfigSchema);
  const ids = await readJson(join(dir, 'added_tokens.json'), IdsSchema);
  const map = await readJson(join(dir, 'special_tokens_map.json'), MapSchema);
  const specialNames = new Set([...namesOf(config), ...namesOf(map)]);
  const tokens = new Map<number, AddedToken>();
  for (const [id, token] of Object.entries(config?.added_tokens_decoder ?? {})) {
    tokens.set(Number(id), { ...token, id: Number(id) });
  }
  for (const [content, id] of Object.entries(ids ?? {})) {
    const known = tokens.get(id);
    if (known === undefined) {
      const special = specialNames.has(content);
      tokens.set(id, AddedTokenSchema.parse({ id, content, special, normalized: !special }));
    } else if (known.content !== content) throw contradiction(dir, `id ${id}: ${known.content} and ${content}`);
  }
  const idOf = new Map<string, number>();
  for (const { id, content } of tokens.values()) {
    const twin = idOf.get(content);
    if (twin !== undefined) throw contradiction(dir, `${content}: ids ${twin} and ${id}`);
    idOf.set(content, id);
  }
  return {
    tokens: [...tokens.values()].sort((a, b) => a.id - b.id),
    specialNames,
    tokenizerClass: config?.tokenizer_class ?? undefined,
  };
}

/** @throws DataError E_TOKENIZER_ADDED when a special name has no id anywhere */
export function checkSpecialNames(added: AddedTokens, vocab: (name: string) => boolean, source: string): void {
  const known = new Set(added.tokens.map(({ content }) => content));
  const lost = [...added.specialNames].filter((name) => !known.has(name) && !vocab(name));
  if (lost.length === 0) return;
  throw new DataError(
    'E_TOKENIZER_ADDED',
    `${source}: got special tokens without an id (${lost.join(', ')}), expected each in the vocabulary or with an id`,
    { hint: 'copy tokenizer_config.json and added_tokens.json from the checkpoint; they give the ids' },
  );
}

/** @returns undefined when there is no such file */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new DataError('E_TOKENIZER_READ', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path: at, message }) => `${at.join('.')}: ${message}`);
  throw new DataError('E_TOKENIZER_FORMAT', `${path}: ${issues.slice(0, 5).join('; ')}`, {
    hint: 'expected the file as Hugging Face transformers writes it',
  });
}

function namesOf(map: z.output<typeof MapSchema> | undefined): string[] {
  if (map === undefined) return [];
  const single = [map.bos_token, map.eos_token, map.unk_token, map.pad_token, map.sep_token, map.cls_token];
  const all = [...single, map.mask_token, ...(map.additional_special_tokens ?? [])];
  return all.flatMap((name) => (name ? [name] : []));
}

function contradiction(dir: string, got: string): DataError {
  return new DataError('E_TOKENIZER_ADDED', `${dir}: got ${got}, expected one of each`, {
    hint: 'tokenizer_config.json and added_tokens.json are of two tokenizers; copy both from one checkpoint',
  });
}
