import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { type ServerInput, serverOptions } from '../../../src/infer/server/options.js';
import type { VideoModel } from '../../../src/infer/server/routes.js';
import { type ChatServer, createServer } from '../../../src/infer/server/server.js';
import type { NextLogits } from '../mock-sequence.js';
import { mockSession } from '../mock-session.js';

export const VIDEO = `data:video/mp4;base64,${Buffer.from('moving pictures').toString('base64')}`;

export interface TestServer extends ChatServer {
  /** What was logged, one JSON object a line. */
  readonly log: string[];
  /** Contents of the files that were encoded. */
  readonly encoded: string[];
  /** Sequences that sessions still hold. */
  liveSequences(): number;
}

export interface TestModel {
  readonly next?: NextLogits;
  /** Runs before a session is made; may throw as an encoder does. */
  readonly beforeEncode?: (path: string, signal: AbortSignal) => unknown;
}

/** A server over a mock model. */
export async function startServer(input: ServerInput = {}, model: TestModel = {}): Promise<TestServer> {
  const log: string[] = [];
  const encoded: string[] = [];
  const live: { count: number }[] = [];
  const served: VideoModel = {
    async encode(path, { signal }) {
      encoded.push(readFileSync(path, 'utf8'));
      await model.beforeEncode?.(path, signal);
      const { session, prefix } = mockSession(model.next ?? (() => new Float32Array(300)));
      live.push(prefix.live);
      return session;
    },
  };
  const server = await createServer(served, serverOptions({ port: 0, ...input }), {
    logTo: { write: (line) => log.push(line) },
  });
  return { ...server, log, encoded, liveSequences: () => live.reduce((sum, { count }) => sum + count, 0) };
}

/** A private folder for temporary files; after each test it must be empty again. */
export function checkTemporaryFiles(): void {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mimic-server-test-'));
    vi.stubEnv('TMPDIR', folder);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    const left = readdirSync(folder);
    rmSync(folder, { recursive: true });
    expect(left, 'temporary files that the test left').toEqual([]);
  });
}

/** A promise and the function that fulfils it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
