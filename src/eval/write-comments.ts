/** Comment imitation: one comment a video, and side metrics that say how far it is from what viewers wrote. */
import { DataError } from '../base/errors.js';
import type { CommentRequest } from '../data/tasks/types.js';

export interface WrittenComment {
  readonly id: string;
  readonly videoId: string;
  /** null when the video could not be used. */
  readonly text: string | null;
  readonly error?: { readonly code: string; readonly message: string };
}

/** @throws every error but DataError, which becomes a counted failure */
export async function writeComments(
  write: (request: CommentRequest) => Promise<string>,
  requests: readonly CommentRequest[],
): Promise<WrittenComment[]> {
  const written: WrittenComment[] = [];
  for (const request of requests) {
    const { id, videoId } = request;
    try {
      written.push({ id, videoId, text: await write(request) });
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      written.push({ id, videoId, text: null, error: { code: error.code, message: error.message } });
    }
  }
  return written;
}

export interface CommentMetrics {
  readonly written: number;
  readonly failed: number;
  /** Share of texts without a visible character. */
  readonly empty: number;
  /** Distinct word n-grams over all word n-grams of all texts; low = the model repeats itself. */
  readonly distinct1: number;
  readonly distinct2: number;
  /** Mean characters a text, and of the viewers' comments on the same videos. */
  readonly meanChars: number;
  readonly referenceMeanChars: number;
}

/** Side metrics, not a score: how human a comment is, only people can say. */
export function commentMetrics(
  written: readonly WrittenComment[],
  requests: readonly CommentRequest[],
): CommentMetrics {
  const texts = written.flatMap(({ text }) => (text === null ? [] : [text]));
  const ids = new Set(written.flatMap(({ id, text }) => (text === null ? [] : [id])));
  const references = requests.filter(({ id }) => ids.has(id)).flatMap((request) => request.references);
  return {
    written: texts.length,
    failed: written.length - texts.length,
    empty: mean(texts.map((text) => (text.trim() === '' ? 1 : 0))),
    distinct1: distinctShare(texts, 1),
    distinct2: distinctShare(texts, 2),
    meanChars: mean(texts.map((text) => [...text].length)),
    referenceMeanChars: mean(references.map((text) => [...text].length)),
  };
}

function distinctShare(texts: readonly string[], n: number): number {
  const grams = texts.flatMap((text) => {
    const words = text.toLowerCase().match(/[\p{L}\p{N}]+|\p{Extended_Pictographic}/gu) ?? [];
    return Array.from({ length: Math.max(0, words.length - n + 1) }, (_, i) => words.slice(i, i + n).join(' '));
  });
  return grams.length === 0 ? 0 : new Set(grams).size / grams.length;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
