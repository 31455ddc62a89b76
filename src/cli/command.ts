/** What every file in commands/ describes: flags, examples, exit codes and the function to run. */
import type { InferredOptionTypes, Options } from 'yargs';
import type { ExitCode } from './exit-code.js';

export interface Flag extends Options {
  /** For type 'number': refused when the value is no integer, too small or too large. */
  readonly integer?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** Throws an error that teaches when the text cannot be meant. */
  readonly check?: (value: string) => unknown;
}

export type Flags = Readonly<Record<string, Flag>>;

export interface Invocation {
  /** `--section.key=value` flags, in order; empty unless the command takes them. */
  readonly overrides: readonly string[];
  /** The word after the command's name; '' when the command takes none. */
  readonly positional: string;
}

export interface Command<F extends Flags = Flags> {
  readonly flags: F;
  /** Name of the one word that must follow, such as FILE. */
  readonly positional?: string;
  /** Takes `--section.key=value` for the configuration file. */
  readonly takesOverrides?: boolean;
  /** Three: the plainest use, a common one, a rich one. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  readonly exitCodes: readonly ExitCode[];
  run(args: InferredOptionTypes<F>, invocation: Invocation): Promise<ExitCode>;
}

/** Gives `run` the types of the flags. */
export function defineCommand<const F extends Flags>(command: Command<F>): Command<F> {
  return command;
}
