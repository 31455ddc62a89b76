/** Words after a command's name -> typed flags, or an error that names the flag and the nearest one. */
import yargs from 'yargs';
import { ConfigError } from '../base/errors.js';
import { nearest } from '../base/nearest.js';
import type { Command, Flag, Flags, Invocation } from './command.js';
import { GLOBAL_FLAGS } from './usage.js';

export interface ParsedFlags extends Invocation {
  readonly args: Readonly<Record<string, unknown>>;
  readonly help: boolean;
  readonly debug: boolean;
  readonly quiet: boolean;
}

const PARSER = {
  'boolean-negation': false,
  'camel-case-expansion': false,
  'dot-notation': false,
  'duplicate-arguments-array': false,
  'parse-positional-numbers': false,
  'short-option-groups': false,
} as const;

const NESTED_KEY = /^--[\w-]+(\.[\w-]+)+(=|$)/;
const TOP_LEVEL_KEY = /^--([\w-]+)=/;

/** `--train.epochs=3` always; `--name=again` where the command has no flag of that name. */
function isOverride(command: Command, word: string): boolean {
  if (NESTED_KEY.test(word)) return true;
  const key = TOP_LEVEL_KEY.exec(word)?.[1];
  return command.takesOverrides === true && key !== undefined && !(key in command.flags) && !(key in GLOBAL_FLAGS);
}

function usageError(name: string, message: string, hint?: string): ConfigError {
  return new ConfigError('E_USAGE', `mimic ${name}: ${message}`, { hint: hint ?? `mimic ${name} --help` });
}

function splitOverrides(
  name: string,
  command: Command,
  words: readonly string[],
): { overrides: string[]; rest: string[] } {
  const overrides = words.filter((word) => isOverride(command, word));
  const [first] = overrides;
  if (first !== undefined && !command.takesOverrides) {
    throw usageError(
      name,
      `unknown flag ${first}`,
      'configuration keys are set with mimic train or mimic config print',
    );
  }
  const bare = overrides.find((word) => !word.includes('='));
  if (bare !== undefined) throw usageError(name, `${bare} has no value`, `write ${bare}=VALUE, without spaces`);
  return { overrides, rest: words.filter((word) => !isOverride(command, word)) };
}

function refuseUnknown(name: string, flags: Flags, args: Readonly<Record<string, unknown>>): void {
  const aliases = Object.values(flags).flatMap(({ alias }) => (typeof alias === 'string' ? [alias] : []));
  const known = new Set(['_', '$0', ...Object.keys(flags), ...aliases]);
  const unknown = Object.keys(args).find((key) => !known.has(key));
  if (unknown === undefined) return;
  const guess = nearest(unknown, Object.keys(flags));
  const dashes = unknown.length === 1 ? '-' : '--';
  const suggestion = guess === undefined ? '' : `, did you mean --${guess}?`;
  throw usageError(name, `unknown flag ${dashes}${unknown}${suggestion}`);
}

/** The word that gave a flag its value, as typed. */
function typed(rest: readonly string[], key: string): string {
  const at = rest.findLastIndex((word) => word === `--${key}` || word.startsWith(`--${key}=`));
  return rest[at]?.split('=').slice(1).join('=') || (rest[at + 1] ?? '');
}

function checkNumber(name: string, key: string, flag: Flag, value: unknown, rest: readonly string[]): void {
  if (flag.type !== 'number' || value === undefined) return;
  const { integer = false, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = flag;
  const fits = typeof value === 'number' && value >= min && value <= max && (!integer || Number.isSafeInteger(value));
  if (fits) return;
  const bounds = [
    flag.min === undefined ? '' : `at least ${min}`,
    flag.max === undefined ? '' : `at most ${max}`,
  ].filter(Boolean);
  const wanted = [integer ? 'an integer' : 'a number', bounds.join(' and ')].filter(Boolean).join(' ');
  throw usageError(name, `--${key}: got "${typed(rest, key)}", expected ${wanted}`);
}

function checkChoice(name: string, key: string, flag: Flag, value: unknown): void {
  if (flag.choices === undefined || value === undefined || flag.choices.includes(value as string)) return;
  const guess = nearest(String(value), flag.choices.map(String));
  const suggestion = guess === undefined ? '' : `; did you mean ${guess}?`;
  throw usageError(name, `--${key}: got "${value}", expected one of ${flag.choices.join(', ')}${suggestion}`);
}

/** @throws ConfigError E_USAGE for an unknown or missing flag, a value of the wrong kind, or a word too many or too few. */
export async function parseFlags(name: string, command: Command, words: readonly string[]): Promise<ParsedFlags> {
  const { overrides, rest } = splitOverrides(name, command, words);
  const flags: Flags = { ...command.flags, ...GLOBAL_FLAGS };
  const parser = yargs([])
    .help(false)
    .version(false)
    .locale('en')
    .parserConfiguration(PARSER)
    .fail(false)
    .exitProcess(false);
  for (const [key, { choices: _, demandOption: __, check: ___, ...option }] of Object.entries(flags)) {
    parser.option(key, { ...option, requiresArg: option.type !== 'boolean' });
  }
  let args: Readonly<Record<string, unknown>>;
  try {
    args = await parser.parseAsync(rest);
  } catch (cause) {
    const bare = /^Not enough arguments following: (.+)$/.exec((cause as Error).message)?.[1];
    throw bare === undefined ? cause : usageError(name, `--${bare} has no value`);
  }
  const globals = { help: args['help'] === true, debug: args['debug'] === true, quiet: args['quiet'] === true };
  if (globals.help) return { args, overrides, positional: '', ...globals };

  refuseUnknown(name, flags, args);
  for (const [key, flag] of Object.entries(flags)) {
    if (flag.demandOption && args[key] === undefined) {
      throw usageError(name, `--${key} is missing: ${flag.describe}`);
    }
    checkNumber(name, key, flag, args[key], rest);
    checkChoice(name, key, flag, args[key]);
    if (typeof args[key] === 'string') flag.check?.(args[key]);
  }
  const positionals = (args['_'] as unknown[]).map(String);
  const wanted = command.positional === undefined ? 0 : 1;
  if (positionals.length > wanted) throw usageError(name, `"${positionals[wanted]}" is one word too many`);
  if (positionals.length < wanted) throw usageError(name, `${command.positional} is missing`);
  return { args, overrides, positional: positionals[0] ?? '', ...globals };
}
