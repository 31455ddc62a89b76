import { MimicError, ShapeError } from '../base/errors.js';
import { EXIT_CODE, type ExitCode } from './exit-code.js';

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by: ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

/**
 * An error as a person reads it: code, message, how to mend it. A wrong input needs no stack; a wrong shape or an error
 * of no known class is a bug, and its stack is what a report needs.
 */
export function reportError(error: unknown, debug: boolean): { text: string; exitCode: ExitCode } {
  const known = error instanceof MimicError;
  const internal = !known || error instanceof ShapeError;
  const message = error instanceof Error ? error.message : String(error);
  const lines = [`error ${known ? error.code : 'E_INTERNAL'}: ${message}`];
  if (known && error.hint !== undefined) lines.push(`  hint: ${error.hint}`);
  if (internal) lines.push('  hint: this is a bug in mimic-chat; please report it with the lines below');
  if (internal || debug) lines.push(stackOf(error));
  return { text: `${lines.join('\n')}\n`, exitCode: internal ? EXIT_CODE.internal : EXIT_CODE.user };
}
