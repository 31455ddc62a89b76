import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '../../../src/base/errors.js';
import { V, writes } from '../mock-session.js';
import { checkTemporaryFiles, gate, startServer, type TestModel, type TestServer, VIDEO } from './test-server.js';

const KEY = 'a-key-of-more-than-16-characters';
const ask = { video: VIDEO, question: 'SECRETQUESTION ?', options: ['SECRETOPTION', 'b'] };

describe('server, over a socket', () => {
  checkTemporaryFiles();

  async function listening(input: object, model: TestModel, use: (server: TestServer, url: string) => Promise<void>) {
    const server = await startServer(input, model);
    try {
      await use(server, await server.app.listen({ host: '127.0.0.1', port: 0 }));
      expect(server.liveSequences(), 'sequences that a request left').toBe(0);
    } finally {
      await server.app.close();
    }
  }
  const post = (url: string, body: object, init: RequestInit = {}) =>
    fetch(url, {
      method: 'POST',
      body: JSON.stringify(body),
      ...init,
      headers: { 'content-type': 'application/json', ...init.headers },
    });

  it('logs one line a request, without the words of the prompt', async () => {
    await listening({}, {}, async (server, url) => {
      await (await post(`${url}/v1/choices?SECRETQUERY`, ask)).text();
      await (await post(`${url}/v1/choices`, { ...ask, options: ['SECRETOPTION'] })).text();
      const lines = server.log.map((line) => JSON.parse(line)).filter((line) => line.msg === 'request');
      expect(lines.map(({ method, route, status }) => ({ method, route, status }))).toEqual([
        { method: 'POST', route: '/v1/choices', status: 200 },
        { method: 'POST', route: '/v1/choices', status: 400 },
      ]);
      expect(lines[0].reqId).not.toBe(lines[1].reqId);
      expect(server.log.join('')).not.toContain('SECRET');
    });
  });

  it('answers 429 with Retry-After when the queue is full, before reading the body', async () => {
    const held = gate();
    await listening({ queueSize: 0 }, { beforeEncode: () => held.opened }, async (server, url) => {
      const first = post(`${url}/v1/choices`, ask);
      while (server.encoded.length === 0) await tick();
      const second = await post(`${url}/v1/choices`, { not: 'even valid' });
      expect(second.status).toBe(429);
      expect(Number(second.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(await second.json()).toMatchObject({ error: { code: 'E_QUEUE_FULL' } });
      held.open();
      expect((await first).status).toBe(200);
      expect((await post(`${url}/v1/choices`, ask)).status).toBe(200);
    });
  });

  it('has one request on the device at a time', async () => {
    let running = 0;
    let most = 0;
    const beforeEncode = async () => {
      most = Math.max(most, ++running);
      await tick();
      running--;
    };
    await listening({}, { beforeEncode }, async (_server, url) => {
      const statuses = await Promise.all(
        Array.from({ length: 6 }, async () => (await post(`${url}/v1/choices`, ask)).status),
      );
      expect(statuses).toEqual([200, 200, 200, 200, 200, 200]);
      expect(most).toBe(1);
    });
  });

  it('stops writing within one token when the client leaves, and serves the next', async () => {
    let tokens = 0;
    const next = async () => {
      tokens++;
      await tick();
      return Float32Array.from({ length: V }, (_, id) => (id === 120 ? 50 : 0));
    };
    await listening({ queueSize: 1 }, { next }, async (server, url) => {
      const client = new AbortController();
      const answer = await post(
        `${url}/v1/comments`,
        { video: VIDEO, stream: true, maxTokens: 1000 },
        { signal: client.signal },
      );
      await answer.body?.getReader().read();
      client.abort();
      while (server.liveSequences() > 0) await tick();
      const atEnd = tokens;
      expect(atEnd).toBeLessThan(1000);
      expect((await post(`${url}/v1/choices`, ask)).status).toBe(200);
      expect(tokens).toBe(atEnd + 1); // the choice's one pass, nothing of the abandoned stream
      expect(server.log.some((line) => line.includes('"level":50'))).toBe(false);
    });
  });

  it('aborts at the deadline with a typed error, also while waiting', async () => {
    const held = gate();
    await listening({ deadlineMs: 150 }, { beforeEncode: () => held.opened }, async (server, url) => {
      const first = post(`${url}/v1/choices`, ask);
      while (server.encoded.length === 0) await tick();
      const second = await post(`${url}/v1/choices`, ask);
      expect(second.status).toBe(504);
      expect(await second.json()).toMatchObject({
        error: { code: 'E_DEADLINE', message: 'not answered within 150 ms' },
      });
      expect(server.encoded).toHaveLength(1);
      held.open();
      expect((await first).status).toBe(504);
    });
  });

  it('names the deadline, not the decoder that it stopped', async () => {
    const beforeEncode = (_path: string, signal: AbortSignal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new DataError('E_VIDEO_ABORTED', 'decoding was aborted')));
      });
    await listening({ deadlineMs: 50 }, { beforeEncode }, async (_server, url) => {
      const answer = await post(`${url}/v1/choices`, ask);
      expect([answer.status, await answer.json()]).toMatchObject([504, { error: { code: 'E_DEADLINE' } }]);
    });
  });

  it('refuses a body over the limit', async () => {
    await listening({ maxBodyBytes: 2000 }, {}, async (_server, url) => {
      const json = await post(`${url}/v1/choices`, { ...ask, question: 'x'.repeat(3000) });
      expect([json.status, await json.json()]).toMatchObject([413, { error: { code: 'E_BODY_TOO_LARGE' } }]);
      const form = new FormData();
      form.set('video', new Blob(['x'.repeat(3000)]), 'v.mp4');
      const upload = await fetch(`${url}/v1/choices`, { method: 'POST', body: form });
      expect([upload.status, await upload.json()]).toMatchObject([413, { error: { code: 'E_BODY_TOO_LARGE' } }]);
    });
  });

  it('answers other routes and types with typed errors', async () => {
    await listening({}, {}, async (_server, url) => {
      const none = await fetch(`${url}/v1/other`);
      expect([none.status, await none.json()]).toMatchObject([404, { error: { code: 'E_NOT_FOUND' } }]);
      const text = await fetch(`${url}/v1/choices`, {
        method: 'POST',
        body: 'hello',
        headers: { 'content-type': 'text/plain' },
      });
      expect([text.status, await text.json()]).toMatchObject([415, { error: { code: 'E_CONTENT_TYPE' } }]);
      const broken = await fetch(`${url}/v1/choices`, {
        method: 'POST',
        body: '{',
        headers: { 'content-type': 'application/json' },
      });
      expect([broken.status, await broken.json()]).toMatchObject([400, { error: { code: 'E_REQUEST_BODY' } }]);
    });
  });

  it('drains: refuses new requests with 503, finishes the running one, then closes', async () => {
    const held = gate();
    await listening({}, { beforeEncode: () => held.opened }, async (server, url) => {
      const running = post(`${url}/v1/choices`, ask);
      while (server.encoded.length === 0) await tick();
      const drained = server.drain();
      expect((await fetch(`${url}/healthz`)).status).toBe(503);
      const refused = await post(`${url}/v1/choices`, ask);
      expect([refused.status, await refused.json()]).toMatchObject([503, { error: { code: 'E_SERVER_DRAINING' } }]);
      held.open();
      expect((await running).status).toBe(200);
      await drained;
      await expect(fetch(`${url}/healthz`)).rejects.toThrow('fetch failed');
    });
  });

  it('aborts what is still running when the drain time is over, with a typed error', async () => {
    const next = async (ids: readonly number[]) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return writes('x'.repeat(1000))(ids);
    };
    await listening({ drainMs: 50 }, { next }, async (server, url) => {
      const answer = await post(`${url}/v1/comments`, { video: VIDEO, stream: true, maxTokens: 1000 });
      const body = answer.text();
      await server.drain();
      expect(await body).toMatch(
        /event: error\ndata: \{"error":\{"code":"E_SERVER_DRAINING","message":"the server is shutting down"/,
      );
    });
  });

  describe('with an API key', () => {
    let folder: string;
    let apiKeyFile: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'mimic-key-'));
      apiKeyFile = join(folder, 'key');
      writeFileSync(apiKeyFile, `${KEY}\n`);
      chmodSync(apiKeyFile, 0o600);
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    it('answers every route but /healthz with 401 unless the key is sent', async () => {
      await listening({ apiKeyFile }, {}, async (server, url) => {
        for (const route of ['/v1/choices', '/v1/comments', '/v1/other']) {
          for (const headers of [{}, { authorization: 'Bearer wrong' }]) {
            const answer = await post(url + route, ask, { headers });
            expect([answer.status, await answer.json()]).toMatchObject([401, { error: { code: 'E_UNAUTHORIZED' } }]);
          }
        }
        expect(server.encoded).toEqual([]);
        expect((await fetch(`${url}/healthz`)).status).toBe(200);
        expect((await post(`${url}/v1/choices`, ask, { headers: { authorization: `Bearer ${KEY}` } })).status).toBe(
          200,
        );
      });
    });
  });

  it('will not start on an open address without a key', async () => {
    await expect(startServer({ host: '0.0.0.0' })).rejects.toThrow('host: got 0.0.0.0 without an API key');
  });

  it('answers 421 for the name of another host, but tells anyone its health', async () => {
    const server = await startServer();
    const answer = await server.app.inject({
      method: 'POST',
      url: '/v1/choices',
      payload: ask,
      headers: { host: 'evil.example' },
    });
    expect([answer.statusCode, answer.json()]).toMatchObject([421, { error: { code: 'E_HOST' } }]);
    expect((await server.app.inject({ url: '/healthz', headers: { host: '10.0.0.7' } })).json()).toEqual({
      status: 'ok',
    });
    await server.app.close();
  });
});

function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}
