import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { RequestError } from '../../base/errors.js';
import { parseBody } from './body.js';
import { type MediaFile, openMedia, receiveUpload } from './media.js';

export interface ReadRequest<T> {
  readonly body: T;
  /** The caller disposes it. */
  readonly media: MediaFile;
}

/**
 * Reads a JSON body, or a multipart one with the parts `request` (that same JSON, without `video`) and `video` (a file).
 *
 * @throws RequestError 400 E_REQUEST_BODY, 413 E_BODY_TOO_LARGE, and those of `openMedia`
 */
export async function readRequest<T extends { readonly video?: string | undefined }>(
  request: FastifyRequest,
  schema: z.ZodType<T>,
  mediaRoot: string | undefined,
): Promise<ReadRequest<T>> {
  if (!request.isMultipart()) {
    const body = parseBody(schema, request.body);
    if (body.video === undefined) throw bodyError('video', 'expected a data: URL, or an upload as multipart/form-data');
    return { body, media: await openMedia(body.video, mediaRoot) };
  }
  let media: MediaFile | undefined;
  try {
    let json: unknown;
    for await (const part of request.parts()) {
      if (part.type === 'file' && part.fieldname === 'video' && media === undefined) {
        media = await receiveUpload(part.file);
        if (part.file.truncated)
          throw new RequestError(413, 'E_BODY_TOO_LARGE', 'video: the upload exceeds the body limit');
      } else if (part.type === 'field' && part.fieldname === 'request') {
        json = parseJson(String(part.value));
      } else {
        throw bodyError(part.fieldname, 'unexpected part, expected one "request" (JSON) and one "video" (file)');
      }
    }
    const body = parseBody(schema, json);
    if (body.video !== undefined) throw bodyError('video', 'given twice: as a part and inside the JSON');
    if (media === undefined) throw bodyError('video', 'the part with the file is missing');
    return { body, media };
  } catch (error) {
    await media?.dispose();
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RequestError(400, 'E_REQUEST_BODY', 'request: the part is not valid JSON', { cause });
  }
}

function bodyError(path: string, message: string): RequestError {
  return new RequestError(400, 'E_REQUEST_BODY', `${path}: ${message}`, { context: { fields: [{ path, message }] } });
}
