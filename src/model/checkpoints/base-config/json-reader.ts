/**
 * Reads keys of a published config.json. Absent keys are never taken from a class default, since those differ from what the
 * files mean: every key that matters and is absent, or has a value that the model cannot follow, is a problem; all problems
 * are collected.
 */
import { readFile, stat } from 'node:fs/promises';
import { CheckpointError } from '../../../base/errors.js';

/** Real ones have a few KiB. */
const MAX_BYTES = 16e6;
const MAX_COUNT = 2 ** 31;
const MAX_LAYERS = 1000;

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws CheckpointError `code` when the file is absent or holds no object */
export async function readJsonObject(
  path: string,
  { code = 'E_BASE_CONFIG', hint }: { readonly code?: string; readonly hint?: string } = {},
): Promise<Json> {
  const options = hint === undefined ? {} : { hint };
  let value: unknown;
  try {
    const { size } = await stat(path);
    if (size > MAX_BYTES) throw new RangeError(`${size} bytes, at most ${MAX_BYTES} are read`);
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new CheckpointError(code, `${path}: cannot be read as JSON (${(cause as Error).message}).`, {
      ...options,
      cause,
    });
  }
  if (!isObject(value)) throw new CheckpointError(code, `${path}: got no object of settings.`, options);
  return value;
}

export class JsonReader {
  private constructor(
    private readonly json: Json,
    private readonly prefix: string,
    private readonly problems: string[],
  ) {}

  static of(json: Json): JsonReader {
    return new JsonReader(json, '', []);
  }

  section(key: string): JsonReader {
    const value = this.json[key];
    if (!isObject(value)) this.problem(key, 'a section');
    return new JsonReader(isObject(value) ? value : {}, `${this.prefix}${key}.`, this.problems);
  }

  has(key: string): boolean {
    return this.json[key] !== undefined && this.json[key] !== null;
  }

  raw(key: string): unknown {
    return this.json[key];
  }

  /** A positive whole number. */
  count(key: string, most = MAX_COUNT): number {
    const value = this.json[key];
    if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= most) return value;
    this.problem(key, most === MAX_COUNT ? 'a positive whole number' : `a whole number from 1 to ${most}`);
    return 1;
  }

  /** Each one is declared, so a wrong number must not be tried. */
  layers(key: string): number {
    return this.count(key, MAX_LAYERS);
  }

  positive(key: string): number {
    const value = this.json[key];
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
    this.problem(key, 'a positive number');
    return 1;
  }

  text(key: string): string {
    const value = this.json[key];
    if (typeof value === 'string') return value;
    this.problem(key, 'a text');
    return '';
  }

  flag(key: string): boolean {
    const value = this.json[key];
    if (typeof value === 'boolean') return value;
    this.problem(key, 'true or false');
    return false;
  }

  /** A side of a square: 448 or [448, 448]. */
  side(key: string): number {
    const value = this.json[key];
    const sides: unknown[] = Array.isArray(value) ? value : [value, value];
    const [height, width] = sides;
    if (sides.length === 2 && height === width && Number.isSafeInteger(height) && Number(height) > 0)
      return Number(height);
    this.problem(key, 'one size for both sides of a square, in pixels');
    return 1;
  }

  /** Per-channel numbers of a preprocessor. */
  channels(key: string): [number, number, number] {
    const value = this.json[key];
    const [r, g, b]: unknown[] = Array.isArray(value) ? value : [];
    if (typeof r === 'number' && typeof g === 'number' && typeof b === 'number') return [r, g, b];
    this.problem(key, 'three numbers, one a channel');
    return [1, 1, 1];
  }

  /** What the model computes in one way only. */
  must(key: string, expected: string | number | boolean, why: string): void {
    if (this.json[key] !== expected) this.problem(key, `${JSON.stringify(expected)}: ${why}`);
  }

  /** As `must`, where an absent key means the same. */
  mustIfGiven(key: string, expected: string | number | boolean, why: string): void {
    if (this.has(key)) this.must(key, expected, why);
  }

  refuse(key: string, expected: string): void {
    this.problem(key, expected);
  }

  /** @throws CheckpointError E_BASE_CONFIG with a line a problem */
  finish(path: string): void {
    if (this.problems.length === 0) return;
    const count = this.problems.length === 1 ? '1 problem' : `${this.problems.length} problems`;
    throw new CheckpointError('E_BASE_CONFIG', [`${path}: ${count}`, ...this.problems].join('\n  '), {
      hint: 'The file must describe the published weights beside it; nothing is assumed for a key that is absent.',
      context: { problems: [...this.problems] },
    });
  }

  private problem(key: string, expected: string): void {
    const value = this.json[key];
    const got = value === undefined ? 'nothing' : (JSON.stringify(value) ?? String(value));
    this.problems.push(
      `${this.prefix}${key}: got ${got.length > 80 ? `${got.slice(0, 77)}...` : got}, expected ${expected}`,
    );
  }
}
