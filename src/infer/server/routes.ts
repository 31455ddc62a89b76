import type { FastifyInstance, FastifyReply } from 'fastify';
import { DataError } from '../../base/errors.js';
import { collectCandidates } from '../collect-candidates.js';
import { type VideoSession, WRITE_DEFAULTS, type WriteOptions } from '../video-session.js';
import { choicesBody, commentsBody } from './body.js';
import { errorBody, toRequestError } from './error-body.js';
import { EventStream } from './event-stream.js';
import type { MediaFile } from './media.js';
import type { ServerOptions } from './options.js';
import { readRequest } from './read-request.js';
import type { WorkQueue } from './work-queue.js';

/** What is served; `MimicChat` is one. */
export interface VideoModel {
  encode(path: string, options: { readonly signal: AbortSignal }): Promise<VideoSession>;
}

export interface RouteContext {
  readonly model: VideoModel;
  readonly options: ServerOptions;
  readonly queue: WorkQueue;
  abortSignal(reply: FastifyReply): AbortSignal;
}

export function addRoutes(app: FastifyInstance, context: RouteContext): void {
  const { options } = context;
  const forChoices = choicesBody(options);
  const forComments = commentsBody(options);

  app.post('/v1/choices', async (request, reply) => {
    const signal = context.abortSignal(reply);
    const { body, media } = await readRequest(request, forChoices, options.mediaRoot);
    return onVideo(context, media, signal, (session) => session.choose(body.question, body.options));
  });

  app.post('/v1/comments', async (request, reply) => {
    const signal = context.abortSignal(reply);
    const { body, media } = await readRequest(request, forComments, options.mediaRoot);
    const { video: _video, stream, ...given } = body;
    const write = { ...given, signal };
    const seed = given.seed ?? WRITE_DEFAULTS.seed;
    return onVideo(context, media, signal, async (session) => {
      if (stream) return streamComments(session, write, reply);
      return { seed, comments: await collectCandidates(session.commentCandidates(write)) };
    });
  });
}

/** Waits for the device, encodes the video, deletes its file, and cleans up whatever happens. */
async function onVideo<T>(
  { model, queue }: RouteContext,
  media: MediaFile,
  signal: AbortSignal,
  use: (session: VideoSession) => Promise<T>,
): Promise<T> {
  try {
    return await queue.run(async () => {
      const session = await model.encode(media.path, { signal });
      try {
        await media.dispose();
        signal.throwIfAborted();
        return await use(session);
      } finally {
        session.dispose();
      }
    }, signal);
  } catch (error) {
    // An abort during decoding may surface as the decoder's own error; the reason is the truth.
    if (signal.aborted) throw signal.reason;
    if (!(error instanceof DataError)) throw error;
    const message = error.message.replaceAll(media.path, media.label);
    throw new DataError(error.code, message, {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      cause: error,
    });
  } finally {
    await media.dispose();
  }
}

async function streamComments(session: VideoSession, options: WriteOptions, reply: FastifyReply): Promise<undefined> {
  const events = new EventStream(reply);
  try {
    for await (const event of session.commentCandidates(options)) await events.send(event);
    await events.send({}, 'done');
  } catch (error) {
    if (!events.isOpen) throw error;
    await events.send(errorBody(toRequestError(error)), 'error');
  }
  events.end();
}
