/**
 * One source of settings (a YAML file, or one flag) as a list of assignments, each knowing where it was written.
 * Layers are applied in order, so a later one overrides single leaves of an earlier one; lists are replaced whole.
 */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Document, isCollection, isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import { ConfigError } from './errors.js';

export type ConfigPath = readonly (string | number)[];

export interface Assignment {
  readonly path: ConfigPath;
  /** A scalar, a list, or an object: a section that is only opened, never overwritten. */
  readonly value: unknown;
  /** 'file:line' or 'flag', or what else the value was read from. */
  readonly origin: string;
}

/** A setting that lies beneath those of the user. */
export interface BeneathAssignment extends Assignment {
  /** The user may repeat the value, and not set another. */
  readonly fixed: boolean;
}

const MAX_BYTES = 1_000_000;
const MAX_ALIASES = 100;
const YAML_OPTIONS = { version: '1.2', schema: 'core', uniqueKeys: true } as const;

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** First offset of the deepest node on `path`, taken at its key: where a reader would look. */
function offsetOf(document: Document, path: ConfigPath): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const segment of path) {
    if (!isCollection(node)) break;
    const pair = isMap(node)
      ? node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === segment)
      : undefined;
    const child = node.get(segment, true);
    const located = (pair?.key ?? child) as Node | undefined;
    offset = located?.range?.[0] ?? offset;
    node = child;
  }
  return offset;
}

function flatten(value: unknown, path: ConfigPath, origin: (path: ConfigPath) => string, out: Assignment[]): void {
  if (path.length > 0) out.push({ path, value, origin: origin(path) });
  const entries = Array.isArray(value) ? [...value.entries()] : isRecord(value) ? Object.entries(value) : [];
  for (const [key, child] of entries) flatten(child, [...path, key], origin, out);
}

async function readText(file: string): Promise<string> {
  const unreadable = (cause: unknown) =>
    new ConfigError('E_CONFIG_FILE', `configuration file ${file} cannot be read: ${(cause as Error).message}`, {
      hint: 'check the path given with -c',
      cause,
    });
  const { size } = await stat(file).catch((cause: unknown) => {
    throw unreadable(cause);
  });
  if (size > MAX_BYTES) {
    throw new ConfigError(
      'E_CONFIG_TOO_LARGE',
      `configuration file ${file} has ${size} bytes, at most ${MAX_BYTES} are read`,
    );
  }
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw unreadable(cause);
  });
}

/** Assignments of one YAML file (1.2 core schema) and the file it extends, if any. */
async function readFileLayer(file: string): Promise<{ assignments: Assignment[]; extended: string | undefined }> {
  const lines = new LineCounter();
  const document = parseDocument(await readText(file), { ...YAML_OPTIONS, lineCounter: lines });
  const [error] = document.errors;
  if (error) {
    const where = `${file}:${error.linePos?.[0].line ?? 1}`;
    throw new ConfigError('E_CONFIG_YAML', `${where}: not valid YAML: ${error.message.split('\n')[0]}`, {
      cause: error,
    });
  }
  let root: unknown;
  try {
    root = document.toJS({ maxAliasCount: MAX_ALIASES }) ?? {};
  } catch (cause) {
    throw new ConfigError('E_CONFIG_YAML', `${file}: ${(cause as Error).message} (at most ${MAX_ALIASES} aliases)`, {
      cause,
    });
  }
  if (!isRecord(root)) {
    throw new ConfigError(
      'E_CONFIG_YAML',
      `${file}:1: got ${JSON.stringify(root)}, expected sections such as "model:"`,
    );
  }
  const { extends: extended, ...settings } = root;
  const lineOf = (path: ConfigPath) => `${file}:${lines.linePos(offsetOf(document, path)).line}`;
  if (extended !== undefined && typeof extended !== 'string') {
    const got = `${lineOf(['extends'])}: extends: got ${JSON.stringify(extended)}, expected the relative path of one YAML file`;
    throw new ConfigError('E_CONFIG_EXTENDS', got);
  }
  const assignments: Assignment[] = [];
  flatten(settings, [], lineOf, assignments);
  return { assignments, extended };
}

/** The file's assignments, preceded by those of the file it extends (one level). */
export async function fileLayers(file: string): Promise<Assignment[]> {
  const own = await readFileLayer(file);
  if (own.extended === undefined) return own.assignments;
  const baseFile = join(dirname(file), own.extended);
  const base = await readFileLayer(baseFile);
  if (base.extended !== undefined) {
    throw new ConfigError(
      'E_CONFIG_EXTENDS',
      `${baseFile} is extended by ${file} and itself extends ${base.extended}; only one level is allowed`,
      { hint: `let ${file} extend ${base.extended}, or copy the settings it needs` },
    );
  }
  return [...base.assignments, ...own.assignments];
}

/** `--section.key=value` as assignments; the value is a YAML scalar or list. */
export function flagLayer(flag: string): Assignment[] {
  const match = /^--([^=]+)=(.*)$/s.exec(flag);
  const segments = match?.[1]?.split('.') ?? [];
  if (!match || segments.some((segment) => segment === '')) {
    throw new ConfigError('E_CONFIG_FLAG', `override ${flag}: expected --section.key=value`, {
      hint: 'for example --train.lr=4e-5 or --model.lora.targets=[wqkv,wo]',
    });
  }
  const document = parseDocument(match[2] ?? '', YAML_OPTIONS);
  const [error] = document.errors;
  if (error) {
    throw new ConfigError(
      'E_CONFIG_FLAG',
      `override ${flag}: the value is not valid YAML: ${error.message.split('\n')[0]}`,
      {
        hint: `quote it: '--${match[1]}="..."'`,
        cause: error,
      },
    );
  }
  const path = segments.map((segment) => (/^\d+$/.test(segment) ? Number(segment) : segment));
  const assignments: Assignment[] = [];
  flatten(document.toJS({ maxAliasCount: MAX_ALIASES }), path, () => 'flag', assignments);
  return assignments;
}
