import { z } from 'zod';
import { ConfigError } from '../../base/errors.js';

const count = z.int().positive();

/** Every limit of the server; a request may ask for less, never for more. */
export const ServerSchema = z.object({
  host: z.string().min(1).default('127.0.0.1').describe('address to bind; others than loopback need apiKeyFile'),
  port: z.int().min(0).max(65535).default(8317).describe('0 = any free port'),
  apiKeyFile: z.string().optional().describe('file of mode 0600 that holds the bearer key'),
  allowHosts: z.array(z.string()).default([]).describe('names accepted in the Host header, besides loopback and host'),
  mediaRoot: z.string().optional().describe('folder whose video files a request may name'),
  maxBodyBytes: count.default(64 * 2 ** 20),
  queueSize: z.int().nonnegative().default(16).describe('requests that may wait behind the one on the device'),
  deadlineMs: count.default(120_000).describe('a request that is not answered by then is aborted'),
  drainMs: count.default(30_000).describe('time that requests have to finish after SIGTERM'),
  maxTokens: count.default(1024).describe('most new tokens a candidate may have'),
  maxCandidates: count.default(4),
  maxTextChars: count.default(4096).describe('most characters of a question or an option'),
});

export type ServerOptions = z.output<typeof ServerSchema>;
export type ServerInput = z.input<typeof ServerSchema>;

/** Fills the defaults. @throws ConfigError E_SERVER_OPTIONS naming every wrong option */
export function serverOptions(input: ServerInput = {}): ServerOptions {
  const parsed = ServerSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new ConfigError('E_SERVER_OPTIONS', `server options: ${z.prettifyError(parsed.error)}`, {
    hint: 'mimic serve --help',
  });
}
