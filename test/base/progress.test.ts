import { describe, expect, it, vi } from 'vitest';
import { log } from '../../src/base/logger.js';
import { Progress } from '../../src/base/progress.js';
import { MemoryStream } from '../support/memory-stream.js';

/** A clock that tests set by hand, in seconds. */
function clock() {
  const state = { sec: 0 };
  return { state, now: () => state.sec };
}

describe('Progress in a log file', () => {
  it('prints a line every few seconds, and the last one, with percent, detail and ETA', () => {
    const stream = new MemoryStream();
    const { state, now } = clock();
    const progress = new Progress('step', { total: 100, stream, now, intervalSec: 5 });
    for (let done = 1; done <= 100; done++) {
      state.sec = done * 0.1;
      progress.update(done, 'loss 1.23');
    }
    progress.end('trained');
    expect(stream.text).toBe(
      'step 1/100 1%  loss 1.23  ETA 9.9 s\nstep 51/100 51%  loss 1.23  ETA 4.9 s\nstep 100/100 100%  loss 1.23\ntrained\n',
    );
  });

  it('measures the ETA from where a resumed count began', () => {
    const stream = new MemoryStream();
    const { state, now } = clock();
    const progress = new Progress('step', { total: 100, stream, now }, 90);
    state.sec = 60;
    progress.update(95);
    expect(stream.text).toBe('step 95/100 95%  ETA 1 min 00 s\n');
  });
});

describe('Progress on a terminal', () => {
  it('keeps one line up to date, within the width, and replaces it by the summary', () => {
    const stream = new MemoryStream(true);
    const { state, now } = clock();
    const progress = new Progress('clips', { total: 2, stream, now });
    state.sec = 1;
    progress.update(1, 'x'.repeat(100));
    state.sec = 1.05;
    progress.update(1, 'too soon');
    progress.end('2 clips');
    const lines = stream.text.split('\r\u001b[2K');
    expect(lines).toEqual(['', `clips 1/2 50%  ${'x'.repeat(44)}`, '2 clips\n']);
  });

  it('leaves the last state and a fresh line when it ends without a summary', () => {
    const stream = new MemoryStream(true);
    const progress = new Progress('clips', { total: 1, stream });
    progress.update(1);
    progress.end();
    progress.end();
    expect(stream.text).toBe('\r\u001b[2Kclips 1/1 100%\n');
  });
});

describe('Progress with a list of details', () => {
  it('leaves out the last ones where the terminal is narrow, never the ETA', () => {
    const stream = new MemoryStream(true);
    const { state, now } = clock();
    const progress = new Progress('train', { total: 100, stream, now });
    state.sec = 10;
    progress.update(50, ['loss 1.234', 'lr 1.0e-4', 'x'.repeat(30), 'last']);
    expect(stream.text).toBe('\r\u001b[2Ktrain 50/100 50%  loss 1.234  lr 1.0e-4  ETA 10.0 s');
  });

  it('prints nothing where --quiet asks for warnings only', () => {
    const level = log.level;
    const stream = new MemoryStream();
    const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      stream.write(String(text));
      return true;
    });
    try {
      log.level = 'warn';
      const quiet = new Progress('train', { total: 2 });
      quiet.update(2);
      quiet.end('done');
      expect(stream.text).toBe('');
      log.level = 'info';
      new Progress('train', { total: 2 }).update(2);
      expect(stream.text).toContain('train 2/2 100%');
    } finally {
      log.level = level;
      write.mockRestore();
    }
  });
});
