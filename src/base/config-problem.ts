/** A validation issue as one line: where, which key, got, expected, and the nearest name of a misspelt one. */
import type { z } from 'zod';
import type { BeneathAssignment, ConfigPath } from './config-layer.js';
import { isRecord } from './config-layer.js';
import { type ConfigTree, pathKey } from './config-tree.js';
import { nearest } from './nearest.js';

type Issue = z.core.$ZodIssue;

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null (an empty value)';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** Keys that the JSON Schema allows at `path`; alternatives of a union are added up. */
export function keysAt(schema: unknown, path: ConfigPath): string[] {
  if (!isRecord(schema)) return [];
  const alternatives = [schema['anyOf'], schema['oneOf'], schema['allOf']].filter(Array.isArray).flat();
  if (alternatives.length > 0) return [...new Set(alternatives.flatMap((branch: unknown) => keysAt(branch, path)))];
  const [head, ...rest] = path;
  const properties = isRecord(schema['properties']) ? schema['properties'] : {};
  if (head === undefined) return Object.keys(properties);
  if (typeof head === 'string') return keysAt(properties[head] ?? schema['additionalProperties'], rest);
  const prefixItems = Array.isArray(schema['prefixItems']) ? schema['prefixItems'] : [];
  return keysAt(prefixItems[head] ?? schema['items'], rest);
}

const UNITS: Readonly<Record<string, string>> = { array: ' items', string: ' characters', set: ' items' };

/** What a union expects: the alternatives that its branches name for the value itself. */
function unionExpected(branches: readonly (readonly Issue[])[]): string {
  const named = branches.flatMap((issues) => issues.map((issue) => expected(issue) ?? issue.message));
  return [...new Set(named)].join(' or ');
}

/** The expectation in words, or undefined when the issue's own message says it all. */
function expected(issue: Issue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.expected === 'int') return 'an integer';
      return issue.expected === 'object' ? 'a section' : issue.expected === 'array' ? 'a list' : `a ${issue.expected}`;
    case 'too_small':
      return `${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}${UNITS[issue.origin] ?? ''}`;
    case 'too_big':
      return `${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}${UNITS[issue.origin] ?? ''}`;
    case 'invalid_value':
      return issue.values.length === 1 ? show(issue.values[0]) : `one of ${issue.values.map(show).join(', ')}`;
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`;
    case 'invalid_format':
      return `${issue.format}${issue.pattern === undefined ? '' : ` matching ${issue.pattern}`}`;
    case 'invalid_union':
      if ('options' in issue && Array.isArray(issue.options)) return `one of ${issue.options.map(show).join(', ')}`;
      return issue.errors.length > 0 ? unionExpected(issue.errors) : undefined;
    default:
      return undefined;
  }
}

function unknownKeys(issue: Issue & { code: 'unrecognized_keys' }, tree: ConfigTree, schema: unknown): string[] {
  const known = keysAt(schema, issue.path as ConfigPath);
  return issue.keys.map((key) => {
    const path = [...(issue.path as ConfigPath), key];
    const guess = nearest(key, known);
    const suggestion = guess === undefined ? '' : `, did you mean "${guess}"?`;
    const section = issue.path.length === 0 ? 'the top level' : pathKey(issue.path as ConfigPath);
    return `${place(tree, path)}${pathKey(path)}: unknown key${suggestion} (keys of ${section}: ${known.join(', ')})`;
  });
}

function place(tree: ConfigTree, path: ConfigPath): string {
  const origin = tree.placeOf(path);
  if (origin === undefined) return '';
  return origin === 'flag' ? '--' : `${origin}: `;
}

/** One line an issue, one line for each unknown key. */
export function describeProblem(issue: Issue, tree: ConfigTree, schema: unknown): string[] {
  if (issue.code === 'unrecognized_keys') return unknownKeys(issue, tree, schema);
  const path = issue.path as ConfigPath;
  const want = expected(issue);
  const key = path.length === 0 ? '' : `${pathKey(path)}: `;
  if (want === undefined) return [`${place(tree, path)}${key}${issue.message}`];
  const value = tree.valueAt(path);
  const guess =
    issue.code === 'invalid_value' && typeof value === 'string' ? nearest(value, issue.values.map(String)) : undefined;
  const suggestion = guess === undefined ? '' : `; did you mean ${show(guess)}?`;
  return [`${place(tree, path)}${key}got ${show(value)}, expected ${want}${suggestion}`];
}

/** A line when the user set another value than one that is fixed. */
export function describeContradiction({ path, value, origin, fixed }: BeneathAssignment, user: ConfigTree): string[] {
  const chosen = user.valueAt(path);
  if (!fixed || chosen === undefined || JSON.stringify(chosen) === JSON.stringify(value)) return [];
  return [
    `${place(user, path)}${pathKey(path)}: got ${show(chosen)}, and ${origin} has ${show(value)}; remove the key, or name other weights`,
  ];
}
