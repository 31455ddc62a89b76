import { afterEach, describe, expect, it, vi } from 'vitest';
import { Logger } from '../../src/base/logger.js';
import { MemoryStream } from '../support/memory-stream.js';

afterEach(() => vi.unstubAllEnvs());

describe('Logger', () => {
  it('prints messages from its level on', () => {
    const stream = new MemoryStream();
    const logger = new Logger(stream);
    logger.debug('a');
    logger.info('b');
    logger.level = 'warn';
    logger.info('c');
    logger.warn('d');
    logger.error('e');
    logger.level = 'silent';
    logger.error('f');
    expect(stream.text).toBe('b\nwarning d\ne\n');
  });

  it('colours on a terminal only, and never with NO_COLOR', () => {
    vi.stubEnv('NO_COLOR', '');
    vi.stubEnv('TERM', 'xterm');
    const terminal = new MemoryStream(true);
    new Logger(terminal).warn('hot');
    expect(terminal.text).toBe('\u001b[33mwarning hot\u001b[0m\n');

    vi.stubEnv('NO_COLOR', '1');
    const plain = new MemoryStream(true);
    new Logger(plain).warn('hot');
    expect(plain.text).toBe('warning hot\n');
  });

  it('prints a kind of warning once and counts the rest', () => {
    const stream = new MemoryStream();
    const logger = new Logger(stream);
    for (let i = 0; i < 41; i++) logger.warnOnce('short clip', `clip ${i} is short`);
    logger.warnOnce('no tags', 'clip 7 has no tags');
    logger.summarizeWarnings();
    logger.summarizeWarnings();
    expect(stream.text).toBe(
      'warning clip 0 is short\nwarning clip 7 has no tags\nwarning repeated: short clip 41 times\n',
    );
  });
});
