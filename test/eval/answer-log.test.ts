import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openAnswerLog } from '../../src/eval/answer-log.js';
import { answer } from './question.js';

describe('openAnswerLog', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mimic-log-'));
    path = join(folder, 'new', 'answers.jsonl');
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const settings = { weightsSha256: 'abc', seed: 1 };
  const append = async (...answers: ReturnType<typeof answer>[]) => {
    const log = await openAnswerLog(path, settings);
    await log.append(answers);
    await log.close();
  };
  const knownIds = async () => {
    const log = await openAnswerLog(path, settings);
    await log.close();
    return [...log.known.keys()];
  };

  it('knows after reopening what was appended', async () => {
    await append(answer('q1', 'v', true), answer('q2', 'v', false, { probabilities: [0.25, 0.75] }));
    await append(answer('q3', 'w', true));
    const log = await openAnswerLog(path, settings);
    await log.close();
    expect([...log.known.keys()]).toEqual(['q1', 'q2', 'q3']);
    expect(log.known.get('q2')).toEqual(answer('q2', 'v', false, { probabilities: [0.25, 0.75] }));
  });

  it('drops a line that a crash cut, at any byte, and goes on after it', async () => {
    await append(answer('q1', 'v\u00e9', true));
    const whole = readFileSync(path);
    const line = Buffer.from(`${JSON.stringify(answer('q2', 'v\u00e9', true))}\n`);
    for (let cut = 0; cut < line.length; cut += 7) {
      writeFileSync(path, Buffer.concat([whole, line.subarray(0, cut)]));
      await append(answer('q3', 'w', true));
      expect(await knownIds()).toEqual(['q1', 'q3']);
    }
  });

  it('starts anew when even the first line was cut', async () => {
    await append();
    writeFileSync(path, readFileSync(path).subarray(0, 5));
    await append(answer('q1', 'v', true));
    expect(await knownIds()).toEqual(['q1']);
  });

  it('does not know failures, so that they are asked again', async () => {
    await append(answer('q1', 'v', null, { error: { code: 'E', message: 'm' } }), answer('q2', 'v', true));
    expect(await knownIds()).toEqual(['q2']);
  });

  it('refuses answers of other settings, naming the difference', async () => {
    await append(answer('q1', 'v', true));
    await expect(openAnswerLog(path, { ...settings, weightsSha256: 'def' })).rejects.toThrow(
      `${path} holds answers of other settings: weightsSha256: got def, the file has abc`,
    );
    await expect(openAnswerLog(path, { ...settings, more: 'x' })).rejects.toThrow('more: got x, the file has none');
  });

  it('refuses a damaged line, naming it', async () => {
    await append(answer('q1', 'v', true));
    appendFileSync(path, '{"questionId":1}\n');
    await expect(openAnswerLog(path, settings)).rejects.toThrow(`${path}:3: `);
    writeFileSync(path, 'not json\n');
    await expect(openAnswerLog(path, settings)).rejects.toThrow(`${path}:1: not valid JSON`);
  });
});
