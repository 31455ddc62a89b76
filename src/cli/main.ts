/** From words to a command: finds it, reads its flags, runs it, and turns errors into a message and an exit code. */
import { ConfigError } from '../base/errors.js';
import { log } from '../base/logger.js';
import { nearest } from '../base/nearest.js';
import { packageVersion } from '../base/package-root.js';
import { EXIT_CODE, type ExitCode } from './exit-code.js';
import { parseFlags } from './parse-flags.js';
import { COMMANDS } from './registry.js';
import { reportError } from './report-error.js';
import { commandHelp, groupHelp } from './usage.js';

export interface Output {
  out(text: string): void;
  err(text: string): void;
}

const PROCESS_OUTPUT: Output = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
};

const GROUPS = new Set(
  Object.keys(COMMANDS).flatMap((name) => (name.includes(' ') ? name.split(' ').slice(0, 1) : [])),
);

const isHelp = (word: string | undefined): boolean => word === '--help' || word === '-h';

function unknownCommand(words: string): ConfigError {
  const guess = nearest(words, Object.keys(COMMANDS));
  const suggestion = guess === undefined ? '' : `, did you mean "mimic ${guess}"?`;
  return new ConfigError('E_USAGE', `unknown command "${words}"${suggestion}`, { hint: 'mimic --help' });
}

async function dispatch(argv: readonly string[], output: Output): Promise<ExitCode> {
  const [first, second = ''] = argv;
  if (first === undefined || isHelp(first)) {
    output.out(`${await groupHelp(COMMANDS)}\n`);
    return EXIT_CODE.done;
  }
  if (first === '--version') {
    output.out(`${packageVersion()}\n`);
    return EXIT_CODE.done;
  }
  const group = GROUPS.has(first) ? first : undefined;
  const members = Object.entries(COMMANDS).filter(([name]) => name.startsWith(`${first} `));
  if (group !== undefined && isHelp(second)) {
    output.out(`${await groupHelp(Object.fromEntries(members), group)}\n`);
    return EXIT_CODE.done;
  }
  if (group !== undefined && (second === '' || second.startsWith('-'))) {
    const names = members.map(([name]) => `mimic ${name}`).join(' or ');
    throw new ConfigError('E_USAGE', `mimic ${first} needs a command: ${names}`, { hint: `mimic ${first} --help` });
  }
  const name = group === undefined ? first : `${first} ${second}`;
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (entry === undefined) throw unknownCommand(name);

  const command = await entry.load();
  const { args, help, debug, quiet, ...invocation } = await parseFlags(name, command, argv.slice(group ? 2 : 1));
  if (help) {
    output.out(`${await commandHelp(name, entry.summary, command)}\n`);
    return EXIT_CODE.done;
  }
  log.level = debug ? 'debug' : quiet ? 'warn' : 'info';
  const exitCode = await command.run(args, invocation);
  log.summarizeWarnings();
  return exitCode;
}

/** @param argv the words after `mimic`. Never rejects: an error becomes a message and its exit code. */
export async function main(argv: readonly string[], output: Output = PROCESS_OUTPUT): Promise<ExitCode> {
  try {
    return await dispatch(argv, output);
  } catch (error) {
    const { text, exitCode } = reportError(error, argv.includes('--debug'));
    output.err(text);
    return exitCode;
  }
}
