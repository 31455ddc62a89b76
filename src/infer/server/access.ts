/**
 * Who may talk to the server: loopback by default, a bearer key elsewhere, and no browser page of another site.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { ConfigError, RequestError } from '../../base/errors.js';
import type { ServerOptions } from './options.js';

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];
const MIN_KEY_CHARS = 16;

/** @throws ConfigError E_SERVER_OPEN when others than this machine could reach a server without a key */
export function checkBinding(options: Pick<ServerOptions, 'host' | 'apiKeyFile'>): void {
  if (LOOPBACK.includes(bracketed(options.host)) || options.apiKeyFile !== undefined) return;
  throw new ConfigError('E_SERVER_OPEN', `host: got ${options.host} without an API key, expected a loopback address`, {
    hint: 'add --api-key-file FILE (mode 0600), or use --host 127.0.0.1',
  });
}

/** Reads the bearer key. @throws ConfigError E_API_KEY_FILE when it is unreadable, readable by others, or too short */
export function readApiKey(file: string): string {
  const refuse = (problem: string, hint: string, cause?: unknown): never => {
    throw new ConfigError('E_API_KEY_FILE', `apiKeyFile ${file}: ${problem}`, { hint, cause });
  };
  try {
    const mode = statSync(file).mode & 0o777;
    if ((mode & 0o077) !== 0) refuse(`mode is ${mode.toString(8)}, expected 600`, `chmod 600 ${file}`);
    const key = readFileSync(file, 'utf8').trim();
    if (!/^[\x21-\x7e]+$/.test(key) || key.length < MIN_KEY_CHARS) {
      refuse(`expected one line of at least ${MIN_KEY_CHARS} printable characters`, 'openssl rand -hex 32 > FILE');
    }
    return key;
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    return refuse('cannot be read', `openssl rand -hex 32 > ${file} && chmod 600 ${file}`, cause);
  }
}

/** Compares `Authorization: Bearer` with the key in constant time. @throws RequestError 401 E_UNAUTHORIZED */
export function checkApiKey(headers: IncomingHttpHeaders, key: string): void {
  const given = /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1];
  const digest = (text: string) => createHash('sha256').update(text).digest();
  if (given !== undefined && timingSafeEqual(digest(given), digest(key))) return;
  const problem = headers.authorization === undefined ? 'no API key was sent' : 'the API key is wrong';
  throw new RequestError(401, 'E_UNAUTHORIZED', problem, { hint: 'send the header "Authorization: Bearer KEY"' });
}

/**
 * Refuses names that do not belong to this server (DNS rebinding) and pages of other sites.
 *
 * @throws RequestError 421 E_HOST, 403 E_ORIGIN
 */
export function checkHost(headers: IncomingHttpHeaders, options: Pick<ServerOptions, 'host' | 'allowHosts'>): void {
  const allowed = [...LOOPBACK, bracketed(options.host), ...options.allowHosts.map((name) => name.toLowerCase())];
  const host = hostnameOf(`http://${headers.host ?? ''}`);
  if (host === undefined || !allowed.includes(host)) {
    throw new RequestError(
      421,
      'E_HOST',
      `the Host header names ${host ?? 'no valid host'}, which this server does not answer for`,
      {
        hint: 'start the server with --allow-host NAME',
      },
    );
  }
  if (headers.origin === undefined) return;
  const origin = hostnameOf(headers.origin);
  if (origin === undefined || !allowed.includes(origin)) {
    throw new RequestError(403, 'E_ORIGIN', 'pages of other sites may not use this server');
  }
}

function hostnameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname.toLowerCase() || undefined : undefined;
}

/** IPv6 addresses as they stand in a URL. */
function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host.toLowerCase();
}
