import { describe, expect, it } from 'vitest';
import { BackendError, DataError } from '../../../src/base/errors.js';
import { END_ID } from '../byte-tokenizer.js';
import { V, writes } from '../mock-session.js';
import { checkTemporaryFiles, startServer, type TestModel, type TestServer, VIDEO } from './test-server.js';

const ask = { video: VIDEO, question: 'title ?', options: ['a red car', 'a blue car'] };

async function withServer(model: TestModel, use: (server: TestServer) => Promise<void>, input = {}): Promise<void> {
  const server = await startServer(input, model);
  try {
    await use(server);
    expect(server.liveSequences(), 'sequences that a request left').toBe(0);
  } finally {
    await server.app.close();
  }
}

const post = (server: TestServer, url: string, payload: object | string, headers: Record<string, string> = {}) =>
  server.app.inject({ method: 'POST', url, payload, headers: { host: 'localhost', ...headers } });

function multipart(parts: readonly { name: string; text: string; filename?: string }[]) {
  const lines = parts.map(({ name, text, filename }) => {
    const file = filename === undefined ? '' : `; filename="${filename}"\r\ncontent-type: video/mp4`;
    return `--B\r\ncontent-disposition: form-data; name="${name}"${file}\r\n\r\n${text}\r\n`;
  });
  return { payload: `${lines.join('')}--B--\r\n`, headers: { 'content-type': 'multipart/form-data; boundary=B' } };
}

function favours(letter: string) {
  return () => {
    const logits = new Float32Array(V);
    logits[letter.charCodeAt(0)] = Math.log(3);
    return logits;
  };
}

describe('POST /v1/choices', () => {
  checkTemporaryFiles();

  it('answers with the choice and its probabilities', async () => {
    await withServer({ next: favours('B') }, async (server) => {
      const answer = await post(server, '/v1/choices', ask);
      expect(answer.statusCode).toBe(200);
      expect(answer.json()).toEqual({
        choice: 1,
        letter: 'B',
        text: 'a blue car',
        probabilities: [0.25, 0.75].map((p) => expect.closeTo(p, 6)),
      });
      expect(server.encoded).toEqual(['moving pictures']);
    });
  });

  it('takes an upload, whatever the order of the parts and the name of the file', async () => {
    await withServer({ next: favours('A') }, async (server) => {
      const { video: _video, ...request } = ask;
      const parts = [
        { name: 'video', text: 'uploaded', filename: '../../etc/passwd' },
        { name: 'request', text: JSON.stringify(request) },
      ];
      for (const ordered of [parts, parts.toReversed()]) {
        const { payload, headers } = multipart(ordered);
        expect((await post(server, '/v1/choices', payload, headers)).json()).toMatchObject({ letter: 'A' });
      }
      expect(server.encoded).toEqual(['uploaded', 'uploaded']);
    });
  });

  it.each([
    [[{ name: 'request', text: '{"question":"q","options":["a","b"]}' }], 'video: the part with the file is missing'],
    [[{ name: 'video', text: 'v', filename: 'v' }], 'body: Invalid input: expected object, received undefined'],
    [
      [
        { name: 'video', text: 'v', filename: 'v' },
        { name: 'request', text: '{' },
      ],
      'request: the part is not valid JSON',
    ],
    [
      [{ name: 'clip', text: 'v', filename: 'v' }],
      'clip: unexpected part, expected one "request" (JSON) and one "video" (file)',
    ],
    [
      [
        { name: 'video', text: 'v', filename: 'v' },
        { name: 'request', text: JSON.stringify(ask) },
      ],
      'video: given twice: as a part and inside the JSON',
    ],
  ])('refuses the parts %j', async (parts, message) => {
    await withServer({}, async (server) => {
      const { payload, headers } = multipart(parts);
      const answer = await post(server, '/v1/choices', payload, headers);
      expect(answer.statusCode).toBe(400);
      expect(answer.json().error).toMatchObject({ code: 'E_REQUEST_BODY', message });
      expect(server.encoded).toEqual([]);
    });
  });

  it('names every wrong field by its path', async () => {
    await withServer({}, async (server) => {
      const answer = await post(server, '/v1/choices', { question: '', options: ['a', 7], extra: 1 });
      expect(answer.statusCode).toBe(400);
      const { code, message, fields } = answer.json().error;
      expect(code).toBe('E_REQUEST_BODY');
      expect(fields.map((field: { path: string }) => field.path)).toEqual(['question', 'options.1', 'body']);
      expect(message).toContain('options.1: Invalid input: expected string, received number');
      expect(message).toContain('body: Unrecognized key: "extra"');
    });
  });

  it.each([
    [{ ...ask, options: ['a'] }, 'options'],
    [{ ...ask, options: Array.from('123456789') }, 'options'],
    [{ ...ask, question: 'x'.repeat(4097) }, 'question'],
    [{ ...ask, video: undefined }, 'video'],
  ])('refuses the body %#', async (body, path) => {
    await withServer({}, async (server) => {
      const answer = await post(server, '/v1/choices', body);
      expect(answer.statusCode).toBe(400);
      expect(answer.json().error.fields[0].path).toBe(path);
    });
  });

  it('answers 422 for a video that cannot be used, without the path on this machine', async () => {
    const beforeEncode = (path: string) => {
      throw new DataError('E_VIDEO_TRUNCATED', `${path}: decoded 29 of 50 frames`, { hint: 'send it again' });
    };
    await withServer({ beforeEncode }, async (server) => {
      const answer = await post(server, '/v1/choices', ask);
      expect(answer.statusCode).toBe(422);
      expect(answer.json()).toEqual({
        error: { code: 'E_VIDEO_TRUNCATED', message: 'video: decoded 29 of 50 frames', hint: 'send it again' },
      });
    });
  });

  it('answers a bare 500 for an internal error, and logs it', async () => {
    const beforeEncode = () => {
      throw new BackendError('E_DEVICE', 'out of memory at 0x1234');
    };
    await withServer({ beforeEncode }, async (server) => {
      const answer = await post(server, '/v1/choices', ask);
      expect(answer.statusCode).toBe(500);
      expect(answer.json().error).toMatchObject({ code: 'E_INTERNAL', message: 'internal error' });
      expect(answer.body).not.toContain('0x1234');
      expect(server.log.join('')).toContain('0x1234');
    });
  });
});

describe('POST /v1/comments', () => {
  checkTemporaryFiles();

  it('collects the candidates, with the seed that was used', async () => {
    await withServer({ next: writes('nice!') }, async (server) => {
      const answer = await post(server, '/v1/comments', { video: VIDEO, n: 2 });
      expect(answer.json()).toEqual({
        seed: 0,
        comments: [
          { text: 'nice!', finish: 'stop' },
          { text: 'nice!', finish: 'stop' },
        ],
      });
    });
  });

  it('streams events that text cannot forge', async () => {
    await withServer({ next: writes('a\n\nb') }, async (server) => {
      const answer = await post(server, '/v1/comments', { video: VIDEO, stream: true });
      expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8');
      expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
      expect(answer.body.split('\n\n')).toEqual([
        'data: {"candidate":0,"text":"a"}',
        'data: {"candidate":0,"text":"\\n"}',
        'data: {"candidate":0,"text":"\\n"}',
        'data: {"candidate":0,"text":"b"}',
        'data: {"candidate":0,"finish":"stop"}',
        'event: done\ndata: {}',
        '',
      ]);
    });
  });

  it('ends a stream that fails with a typed error event', async () => {
    const next = (ids: readonly number[]) => {
      if (ids.at(-1) === 120) throw new BackendError('E_DEVICE', 'lost the device');
      return writes('x')(ids);
    };
    await withServer({ next }, async (server) => {
      const events = (await post(server, '/v1/comments', { video: VIDEO, stream: true })).body.split('\n\n');
      expect(events[0]).toBe('data: {"candidate":0,"text":"x"}');
      expect(events[1]).toMatch(/^event: error\ndata: \{"error":\{"code":"E_INTERNAL","message":"internal error"/);
    });
  });

  it('keeps the status of an error before the first event', async () => {
    const next = () => {
      throw new DataError('E_VIDEO_EMPTY', 'no frames');
    };
    await withServer({ next }, async (server) => {
      expect((await post(server, '/v1/comments', { video: VIDEO, stream: true })).statusCode).toBe(422);
    });
  });

  it.each([
    [{ maxTokens: 1025 }, 'maxTokens'],
    [{ n: 5 }, 'n'],
    [{ n: 1e9 }, 'n'],
    [{ temperature: -1 }, 'temperature'],
    [{ topP: 0 }, 'topP'],
    [{ seed: 1.5 }, 'seed'],
    [{ stopIds: [END_ID] }, 'body'],
  ])('refuses %j', async (wrong, path) => {
    await withServer({}, async (server) => {
      const answer = await post(server, '/v1/comments', { video: VIDEO, ...wrong });
      expect(answer.statusCode).toBe(400);
      expect(answer.json().error.fields[0].path).toBe(path);
      expect(server.encoded).toEqual([]);
    });
  });
});
