/** JSON Lines with a schema: every error of a file at once, each with its line, key, got and expected. */
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { isRecord } from '../base/config-layer.js';
import { describeProblem } from '../base/config-problem.js';
import { ConfigTree } from '../base/config-tree.js';
import { DataError } from '../base/errors.js';
import { unknownKeys } from './unknown-keys.js';

/** Errors named in full; the rest are counted. */
const MAX_SHOWN = 20;

export interface ReadJsonlOptions<T = never> {
  /** Receives each warning once, for example an unknown key; default: standard error. */
  readonly warn?: (message: string) => void;
  /** A key whose value may not repeat in the file. */
  readonly uniqueKey?: string;
  /** A quick look: what the schema makes of a value that has no unknown key and no error; undefined when it cannot tell. */
  readonly plain?: (value: Record<string, unknown>) => T | undefined;
}

interface Problems {
  readonly lines: string[];
  count: number;
}

/**
 * Reads a JSON Lines file; blank lines are skipped, unknown keys warn once with the nearest known key.
 *
 * @throws DataError E_JSONL_INVALID with all errors; E_JSONL_READ when the file cannot be read
 */
export async function readJsonl<S extends z.ZodType>(
  path: string,
  schema: S,
  options: ReadJsonlOptions<z.output<S>> = {},
): Promise<z.output<S>[]> {
  const check = new JsonlCheck(path, schema, options);
  const rows: z.output<S>[] = [];
  let line = 0;
  for await (const text of linesOf(path)) {
    const row = check.row(text, ++line);
    if (row !== undefined) rows.push(row);
  }
  check.finish();
  return rows;
}

/** Checks the lines of a file one by one. */
export class JsonlCheck<S extends z.ZodType> {
  private readonly warn: (message: string) => void;
  private readonly jsonSchema: Record<string, unknown>;
  private readonly problems: Problems = { lines: [], count: 0 };
  private readonly warned = new Set<string>();
  private readonly firstLine = new Map<unknown, number>();

  constructor(
    private readonly path: string,
    private readonly schema: S,
    private readonly options: ReadJsonlOptions<z.output<S>> = {},
  ) {
    this.warn = options.warn ?? ((message: string) => process.stderr.write(`${message}\n`));
    this.jsonSchema = z.toJSONSchema(schema, { io: 'input' });
  }

  /** The row of a line; undefined for a blank one, and for one with an error, which `finish` throws. */
  row(text: string, line: number): z.output<S> | undefined {
    if (text.trim() === '') return undefined;
    const { path, options, problems } = this;
    const at = `${path}:${line}`;
    const value = parseJson(text, at, problems);
    if (value === undefined) return undefined;
    const row = options.plain?.(value) ?? this.parse(value, at);
    checkUnique(value, options.uniqueKey, line, path, this.firstLine, problems);
    return row;
  }

  /** @throws DataError E_JSONL_INVALID with the errors of all rows, if any */
  finish(): void {
    if (this.problems.count > 0) throw invalid(this.path, this.problems);
  }

  private parse(value: Record<string, unknown>, at: string): z.output<S> | undefined {
    const { jsonSchema, problems, warned } = this;
    for (const { key, message } of unknownKeys(value, jsonSchema)) {
      if (!warned.has(key)) this.warn(`${at}: ${message}`);
      warned.add(key);
    }
    const parsed = this.schema.safeParse(value);
    if (parsed.success) return parsed.data;
    report(
      problems,
      parsed.error.issues.flatMap((issue) => describe(issue, value, at, jsonSchema)),
    );
    return undefined;
  }
}

async function* linesOf(path: string): AsyncGenerator<string> {
  try {
    yield* createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY });
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

export function unreadable(path: string, cause: unknown): DataError {
  return new DataError('E_JSONL_READ', `${path} cannot be read: ${(cause as Error).message}`, { cause });
}

/** The value, or undefined after reporting that the line is not a JSON object. */
function parseJson(text: string, at: string, problems: Problems): Record<string, unknown> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    report(problems, [`${at}: not valid JSON: ${(cause as Error).message}`]);
    return undefined;
  }
  if (isRecord(value)) return value;
  report(problems, [`${at}: got ${text.slice(0, 60)}, expected a JSON object`]);
  return undefined;
}

function describe(issue: z.core.$ZodIssue, value: Record<string, unknown>, at: string, jsonSchema: unknown): string[] {
  const tree = new ConfigTree();
  for (const [key, item] of Object.entries(value)) tree.assign({ path: [key], value: item, origin: at });
  const place = tree.placeOf(issue.path as (string | number)[]);
  const lines = describeProblem(issue, tree, jsonSchema);
  return place === undefined ? lines.map((text) => `${at}: ${text}`) : lines;
}

function checkUnique(
  value: Record<string, unknown>,
  key: string | undefined,
  line: number,
  path: string,
  firstLine: Map<unknown, number>,
  problems: Problems,
): void {
  if (key === undefined || value[key] === undefined) return;
  const first = firstLine.get(value[key]);
  if (first === undefined) firstLine.set(value[key], line);
  else
    report(problems, [`${path}:${line}: ${key}: got ${JSON.stringify(value[key])}, which line ${first} has already`]);
}

function report(problems: Problems, messages: readonly string[]): void {
  problems.count += messages.length;
  problems.lines.push(...messages.slice(0, MAX_SHOWN - problems.lines.length));
}

function invalid(path: string, { lines, count }: Problems): DataError {
  const rest = count > lines.length ? `\n  ... and ${count - lines.length} more` : '';
  const heading = `${path}: ${count} ${count === 1 ? 'error' : 'errors'}`;
  return new DataError('E_JSONL_INVALID', `${heading}\n${lines.map((text) => `  ${text}`).join('\n')}${rest}`, {
    hint: 'correct these lines',
    context: { path, count },
  });
}

/** Writes one JSON value a line; the file appears whole or not at all. */
export async function writeJsonl(path: string, rows: Iterable<unknown>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}.partial`;
  const file = await open(partial, 'w');
  try {
    for (const row of rows) await file.write(`${JSON.stringify(row)}\n`);
    await file.sync();
  } catch (cause) {
    await file.close();
    await rm(partial, { force: true });
    throw cause;
  }
  await file.close();
  await rename(partial, path);
}
