/** What a request may ask: schemas of the bodies, bounded by the server's limits. */
import { z } from 'zod';
import { RequestError } from '../../base/errors.js';
import { MAX_OPTIONS, MIN_OPTIONS } from '../choice-prompt.js';
import type { ServerOptions } from './options.js';

const video = z.string().min(1).optional().describe('data: URL or path inside the media root; absent in an upload');

export const choicesBody = (limits: ServerOptions) => {
  const text = z.string().min(1).max(limits.maxTextChars);
  return z.strictObject({ video, question: text, options: z.array(text).min(MIN_OPTIONS).max(MAX_OPTIONS) });
};

export const commentsBody = (limits: ServerOptions) =>
  z.strictObject({
    video,
    stream: z.boolean().default(false).describe('server-sent events instead of one JSON answer'),
    seed: z.int().min(0).max(0xffffffff).optional(),
    temperature: z.number().min(0).max(10).optional(),
    topP: z.number().gt(0).max(1).optional(),
    topK: z.int().min(0).optional(),
    repetitionPenalty: z.number().min(0.1).max(10).optional(),
    maxTokens: z.int().min(1).max(limits.maxTokens).optional(),
    n: z.int().min(1).max(limits.maxCandidates).optional(),
  });

/** @throws RequestError 400 E_REQUEST_BODY whose message and `context.fields` name every wrong field */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const fields = result.error.issues.map((issue) => ({ path: issue.path.join('.') || 'body', message: issue.message }));
  const message = fields.map((field) => `${field.path}: ${field.message}`).join('; ');
  throw new RequestError(400, 'E_REQUEST_BODY', message, { context: { fields } });
}
