import type { BackendOptions } from '../../backend/select.js';
import { ConfigError } from '../../base/errors.js';
import { log } from '../../base/logger.js';
import { MimicChat } from '../mimic-chat.js';
import { type ServerInput, type ServerOptions, serverOptions } from './options.js';
import { type ChatServer, createServer } from './server.js';

export type ServeOptions = BackendOptions & ServerInput & { /** Model folder. */ readonly checkpoint: string };

/**
 * `mimic serve`: serves a checkpoint until SIGTERM or SIGINT, then drains and returns.
 *
 * @throws ConfigError E_SERVER_LISTEN when the address cannot be bound, and those of `createServer` and `MimicChat.load`
 */
export async function runServe(options: ServeOptions): Promise<void> {
  const { checkpoint, backend, device, precision, threads, ...input } = options;
  const settings = serverOptions(input);
  const chat = await MimicChat.load(checkpoint, { backend, device, precision, threads });
  const server = await createServer(chat, settings);
  log.info(`serving ${checkpoint} at ${await listen(server, settings)}; Ctrl-C drains and stops`);
  await firstSignal();
  log.info(`draining: running requests have ${settings.drainMs} ms`);
  await server.drain();
  chat.dispose();
}

async function listen(server: ChatServer, { host, port }: ServerOptions): Promise<string> {
  try {
    return await server.app.listen({ host, port });
  } catch (cause) {
    await server.drain();
    throw new ConfigError('E_SERVER_LISTEN', `cannot listen on ${host}:${port}: ${String(cause)}`, {
      hint: 'choose another --port, or stop what uses this one',
      cause,
    });
  }
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once, as without a handler. */
function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      process.off('SIGTERM', stop);
      process.off('SIGINT', stop);
      resolve();
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  });
}
