import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventLog } from '../../src/base/event-log.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mimic-events-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('EventLog', () => {
  it('appends one JSON object a line, also after it was opened again', () => {
    const path = join(folder, 'run', 'events.jsonl');
    for (const step of [1, 2]) {
      const log = new EventLog(path);
      log.write('step', { step, note: 'two\nlines' });
      log.close();
    }
    const events = readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/);
    expect(events).toEqual([
      { time, event: 'step', step: 1, note: 'two\nlines' },
      { time, event: 'step', step: 2, note: 'two\nlines' },
    ]);
  });

  it('ends the half line of a killed run, so that the next event stays readable', () => {
    const path = join(folder, 'events.jsonl');
    appendFileSync(path, '{"time":"2026');
    const log = new EventLog(path);
    log.write('resumed');
    log.close();
    const [half, next = ''] = readFileSync(path, 'utf8').split('\n');
    expect(half).toBe('{"time":"2026');
    expect(JSON.parse(next)).toMatchObject({ event: 'resumed' });
  });
});
