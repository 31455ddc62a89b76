/**
 * The HTTP server: POST /v1/choices, POST /v1/comments, GET /healthz.
 *
 * Every request passes, in this order: Host and Origin, API key, a place in the queue, the body's limits, its schema;
 * then it waits for the device, and its deadline, its client's leaving or a shutdown abort it within one token.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import multipart from '@fastify/multipart';
import { type FastifyInstance, type FastifyReply, fastify, LogController } from 'fastify';
import { RequestError } from '../../base/errors.js';
import { checkApiKey, checkBinding, checkHost, readApiKey } from './access.js';
import { errorBody, toRequestError } from './error-body.js';
import type { ServerOptions } from './options.js';
import { addRoutes, type VideoModel } from './routes.js';
import { drainingError, WorkQueue } from './work-queue.js';

/** Time for aborted requests to send their error before their connections are closed. */
const ABORT_GRACE_MS = 2000;
const MAX_JSON_PART_BYTES = 2 ** 20;

export interface ChatServer {
  readonly app: FastifyInstance;
  /** Refuses new requests, lets running ones finish for `drainMs`, aborts the rest, closes. */
  drain(): Promise<void>;
}

export interface ServerHooks {
  /** Receives one JSON line a request; stdout by default. Never holds prompts, media or keys. */
  readonly logTo?: { write(line: string): void };
}

/** @throws ConfigError E_SERVER_OPEN, E_API_KEY_FILE */
export async function createServer(
  model: VideoModel,
  options: ServerOptions,
  hooks: ServerHooks = {},
): Promise<ChatServer> {
  checkBinding(options);
  const apiKey = options.apiKeyFile === undefined ? undefined : readApiKey(options.apiKeyFile);
  const queue = new WorkQueue(options.queueSize);
  const inFlight = new Set<AbortController>();
  const app = fastify({
    bodyLimit: options.maxBodyBytes,
    requestTimeout: options.deadlineMs,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
    requestIdHeader: false,
    genReqId: () => randomUUID(),
    logger: { level: 'info', base: null, ...(hooks.logTo === undefined ? {} : { stream: hooks.logTo }) },
  });
  // Plain text is what a page of another site may post without asking first.
  app.removeContentTypeParser('text/plain');
  await app.register(multipart, {
    limits: { fileSize: options.maxBodyBytes, files: 1, fields: 1, parts: 2, fieldSize: MAX_JSON_PART_BYTES },
  });

  app.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'x-request-id': request.id,
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'",
    });
    if (request.routeOptions.url === '/healthz') return;
    checkHost(request.headers, options);
    if (apiKey !== undefined) checkApiKey(request.headers, apiKey);
    reply.raw.once('close', queue.admit());
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    request.log.info(
      { method: request.method, route, status: reply.statusCode, ms: Math.round(reply.elapsedTime) },
      'request',
    );
  });
  app.setErrorHandler(async (error, request, reply) => {
    const shown = toRequestError(error);
    if (shown.status >= 500 && shown.code === 'E_INTERNAL') request.log.error({ err: error }, 'internal error');
    else request.log.info({ code: shown.code }, 'refused');
    const { retryAfterSec } = shown.context;
    if (retryAfterSec !== undefined) reply.header('retry-after', String(retryAfterSec));
    return reply.status(shown.status).send(errorBody(shown));
  });
  app.setNotFoundHandler(async () => {
    throw new RequestError(404, 'E_NOT_FOUND', 'no such route', {
      hint: 'POST /v1/choices, POST /v1/comments, GET /healthz',
    });
  });
  app.get('/healthz', async (_request, reply) => {
    if (queue.isDraining) return reply.status(503).send({ status: 'draining' });
    return { status: 'ok' };
  });
  addRoutes(app, {
    model,
    options,
    queue,
    abortSignal: (reply) => track(reply, inFlight, options.deadlineMs),
  });

  return {
    app,
    async drain() {
      const empty = queue.drain();
      const timer = new AbortController();
      await Promise.race([empty, sleep(options.drainMs, undefined, { signal: timer.signal }).catch(() => {})]);
      for (const request of inFlight) request.abort(drainingError());
      await Promise.race([empty, sleep(ABORT_GRACE_MS, undefined, { signal: timer.signal }).catch(() => {})]);
      timer.abort();
      await app.close();
    },
  };
}

/** A signal that aborts at the deadline, when the client leaves, or with all others at shutdown. */
function track(reply: FastifyReply, inFlight: Set<AbortController>, deadlineMs: number): AbortSignal {
  const controller = new AbortController();
  inFlight.add(controller);
  const deadline = setTimeout(() => {
    controller.abort(
      new RequestError(504, 'E_DEADLINE', `not answered within ${deadlineMs} ms`, {
        hint: 'ask for fewer tokens or candidates',
      }),
    );
  }, deadlineMs);
  reply.raw.once('close', () => {
    clearTimeout(deadline);
    inFlight.delete(controller);
    controller.abort(new RequestError(499, 'E_CLIENT_CLOSED', 'the client closed the connection'));
  });
  return controller.signal;
}
