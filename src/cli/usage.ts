/** Help texts. yargs lays them out; a fixed width keeps them the same in a terminal, a log and a test. */
import yargs, { type Argv } from 'yargs';
import { packageVersion } from '../base/package-root.js';
import type { Command, Flags } from './command.js';
import { describeExitCodes } from './exit-code.js';
import type { CommandEntry } from './registry.js';

const WIDTH = 110;

export const GLOBAL_FLAGS = {
  help: { type: 'boolean', alias: 'h', describe: 'shows this text' },
  debug: { type: 'boolean', describe: 'prints debug messages, and the stack of every error' },
  quiet: { type: 'boolean', alias: 'q', describe: 'prints warnings, errors and results only' },
} as const satisfies Flags;

const VERSION_FLAG = { type: 'boolean', describe: 'prints the version' } as const;

const base = (): Argv => yargs([]).help(false).version(false).locale('en').wrap(WIDTH);

const withGlobals = (parser: Argv): Argv =>
  parser.options(GLOBAL_FLAGS).group(Object.keys(GLOBAL_FLAGS), 'Everywhere:');

/** The help of `mimic` itself or, with a group such as 'data', of the commands whose names begin with it. */
export async function groupHelp(entries: Readonly<Record<string, CommandEntry>>, group?: string): Promise<string> {
  const parser = base().scriptName('mimic');
  parser.usage(`mimic ${group === undefined ? '' : `${group} `}COMMAND [flags]`);
  for (const [name, { summary }] of Object.entries(entries)) parser.command(name, summary);
  if (group === undefined) parser.option('version', VERSION_FLAG).group('version', 'Flags:');
  parser.epilogue(`mimic-chat ${packageVersion()}. "mimic COMMAND --help" shows flags, examples and exit codes.`);
  return withGlobals(parser).getHelp();
}

/** Not by yargs, which would break the lines: an example is there to be copied. */
function describeExamples(examples: Command['examples']): string {
  return ['Examples:', ...examples.map(([line, what]) => `  # ${what}\n  ${line}`)].join('\n');
}

/** The help of one command. */
export async function commandHelp(name: string, summary: string, command: Command): Promise<string> {
  const words = [
    `mimic ${name}`,
    command.positional,
    '[flags]',
    command.takesOverrides ? '[--section.key=value ...]' : undefined,
  ];
  const sentence = `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
  const parser = base().usage(`${words.filter(Boolean).join(' ')}\n\n${sentence}`);
  parser.options(command.flags).group(Object.keys(command.flags), 'Flags:');
  const flags = await withGlobals(parser).getHelp();
  return [flags, describeExamples(command.examples), describeExitCodes(command.exitCodes)].join('\n\n');
}
