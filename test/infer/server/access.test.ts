import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkApiKey, checkBinding, checkHost, readApiKey } from '../../../src/infer/server/access.js';

const KEY = '0123456789abcdef';

describe('checkBinding', () => {
  it.each(['127.0.0.1', 'localhost', '::1'])('accepts loopback %s without a key', (host) => {
    expect(() => checkBinding({ host, apiKeyFile: undefined })).not.toThrow();
  });

  it.each(['0.0.0.0', '::', '192.168.1.4', '127.0.0.1.example.com'])('refuses %s without a key', (host) => {
    expect(() => checkBinding({ host, apiKeyFile: undefined })).toThrow(
      `host: got ${host} without an API key, expected a loopback address`,
    );
    expect(() => checkBinding({ host, apiKeyFile: 'key' })).not.toThrow();
  });
});

describe('readApiKey', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'mimic-key-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string, mode = 0o600) => {
    const file = join(folder, name);
    writeFileSync(file, text);
    chmodSync(file, mode);
    return file;
  };

  it('reads the key without its line end', () => {
    expect(readApiKey(write('good', `${KEY}\n`))).toBe(KEY);
  });

  it.each([0o644, 0o640, 0o604])('refuses a file of mode %o', (mode) => {
    expect(() => readApiKey(write('open', KEY, mode))).toThrow(`mode is ${mode.toString(8)}, expected 600`);
  });

  it.each(['short', `${KEY}\n${KEY}`, ''])('refuses the content %j', (text) => {
    expect(() => readApiKey(write('bad', text))).toThrow('expected one line of at least 16 printable characters');
  });

  it('refuses a file that does not exist', () => {
    expect(() => readApiKey(join(folder, 'none'))).toThrow('cannot be read');
  });
});

describe('checkApiKey', () => {
  it('accepts the key and nothing else', () => {
    expect(() => checkApiKey({ authorization: `Bearer ${KEY}` }, KEY)).not.toThrow();
    expect(() => checkApiKey({}, KEY)).toThrow('no API key was sent');
    for (const wrong of [`Bearer ${KEY}x`, `Bearer ${KEY.toUpperCase()}`, KEY, `Basic ${KEY}`, 'Bearer ']) {
      expect(() => checkApiKey({ authorization: wrong }, KEY)).toThrow('the API key is wrong');
    }
  });
});

describe('checkHost', () => {
  const options = { host: '127.0.0.1', allowHosts: ['Mimic.example'] };

  it.each(['localhost', 'localhost:8000', '127.0.0.1:1', '[::1]:80', 'mimic.example', 'MIMIC.EXAMPLE:443'])(
    'accepts Host %s',
    (host) => {
      expect(() => checkHost({ host }, options)).not.toThrow();
    },
  );

  it.each(['evil.example', 'localhost.evil.example', 'evil.example:8000', '', 'a b', '127.0.0.1@evil.example'])(
    'refuses Host %j',
    (host) => {
      expect(() => checkHost({ host }, options)).toThrow(
        /the Host header names .*, which this server does not answer for/,
      );
    },
  );

  it('refuses pages of other sites and opaque origins, and accepts its own', () => {
    for (const origin of ['https://evil.example', 'null', 'file://']) {
      expect(() => checkHost({ host: 'localhost', origin }, options)).toThrow(
        'pages of other sites may not use this server',
      );
    }
    expect(() => checkHost({ host: 'localhost', origin: 'http://localhost:3000' }, options)).not.toThrow();
  });
});
