/**
 * The answers of a running evaluation, one JSON line each, so that a killed run goes on where it stopped.
 *
 * Line 1 holds the settings; another run may only go on with the same ones.
 */
import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { ConfigError, DataError } from '../base/errors.js';
import { type Answer, AnswerSchema } from './answers.js';
import type { EvalSettings } from './eval-result.js';

const HeaderSchema = z.strictObject({
  settings: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
});

export interface AnswerLog {
  /** Answers found on opening, without failures: those are asked again. */
  readonly known: ReadonlyMap<string, Answer>;
  /** Appends and waits until the lines are on disk. */
  append(answers: readonly Answer[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens or creates the log. A last line that a crash cut is dropped.
 *
 * @throws ConfigError E_EVAL_RESUME when the file holds answers of other settings; DataError E_ANSWER_LOG when it is damaged
 */
export async function openAnswerLog(path: string, settings: EvalSettings): Promise<AnswerLog> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'a+');
  try {
    const text = await readFile(path, 'utf8');
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    if (whole.length < text.length) await file.truncate(Buffer.byteLength(whole));
    const [header, ...lines] = whole.split('\n').filter((line) => line !== '');
    if (header === undefined) await file.appendFile(`${JSON.stringify({ settings })}\n`);
    else checkSettings(path, settings, parseLine(path, 1, header, HeaderSchema).settings);
    const answers = lines.map((line, i) => parseLine(path, i + 2, line, AnswerSchema));
    return {
      known: new Map(answers.filter((answer) => answer.choice !== null).map((answer) => [answer.questionId, answer])),
      async append(fresh) {
        await file.appendFile(fresh.map((answer) => `${JSON.stringify(answer)}\n`).join(''));
        await file.datasync();
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function checkSettings(path: string, now: EvalSettings, then: EvalSettings): void {
  const keys = [...new Set([...Object.keys(now), ...Object.keys(then)])].filter((key) => now[key] !== then[key]);
  if (keys.length === 0) return;
  const changes = keys.map((key) => `${key}: got ${now[key] ?? 'none'}, the file has ${then[key] ?? 'none'}`);
  throw new ConfigError('E_EVAL_RESUME', `${path} holds answers of other settings: ${changes.join('; ')}`, {
    hint: 'give another --out, or delete that file to start anew',
  });
}

function parseLine<T>(path: string, line: number, text: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : 'not valid JSON';
    throw new DataError('E_ANSWER_LOG', `${path}:${line}: ${reason}`, { hint: 'delete the file to start anew', cause });
  }
}
