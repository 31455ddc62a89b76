import type { AddedToken } from './tokenizer-added.js';
import type { PlainJson } from './tokenizer-file.js';

type Encode = (text: string) => number[];

/**
 * Encodes a text with the added tokens in it taken out first: leftmost, and the longest of those that start there.
 *
 * Where a token's content is `normalized` and the normalizer only replaces one string, tokens are looked for in the
 * replaced text, as SentencePiece looks for pieces with the space mark.
 *
 * @returns null when there are no tokens, or where a part's place in the text changes its ids (Metaspace)
 */
export function splitAtTokens(json: PlainJson): ((text: string, encode: Encode) => number[]) | null {
  const tokens = json.added_tokens;
  if (tokens.length === 0 || JSON.stringify(json.pre_tokenizer ?? null).includes('"Metaspace"')) return null;
  const replace = tokens.some(({ normalized }) => normalized) ? replacement(json.normalizer) : null;
  const seen = (text: string) => (replace === null ? text : text.replaceAll(replace.from, replace.to));
  const strips = tokens.some(({ lstrip, rstrip }) => lstrip || rstrip);
  const nameOf = (content: string) => (strips ? seen(content).trim() : seen(content));
  const ids = new Map(tokens.map(({ id, content }) => [nameOf(content), id]));
  const pattern = new RegExp(tokens.map((token) => patternOf(token, seen(token.content))).join('|'), 'gu');
  return (raw, encode) => {
    const text = seen(raw);
    const found: number[] = [];
    let from = 0;
    const encodeUpTo = (end: number) => {
      // Not push(...ids): a text of a million tokens has too many for the stack.
      if (end > from) for (const id of encode(text.slice(from, end))) found.push(id);
    };
    for (const match of text.matchAll(pattern)) {
      encodeUpTo(match.index);
      const id = ids.get(strips ? match[0].trim() : match[0]);
      if (id !== undefined) found.push(id);
      from = match.index + match[0].length;
    }
    encodeUpTo(text.length);
    return found;
  };
}

function patternOf({ lstrip, rstrip }: AddedToken, content: string): string {
  const escaped = content.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  return `${lstrip ? '\\s*' : ''}${escaped}${rstrip ? '\\s*' : ''}`;
}

function replacement(normalizer: unknown): { readonly from: string; readonly to: string } | null {
  if (typeof normalizer !== 'object' || normalizer === null) return null;
  const { type, pattern, content } = normalizer as {
    type?: unknown;
    pattern?: { String?: unknown };
    content?: unknown;
  };
  if (type !== 'Replace' || typeof pattern?.String !== 'string' || typeof content !== 'string') return null;
  return { from: pattern.String, to: content };
}
