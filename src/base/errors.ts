/**
 * Errors that teach: every one says what failed, got, expected, where, and how to fix it.
 *
 * `code` is stable and documented; `hint` is the command or key to change. A user error (bad input or
 * configuration) exits with 2 and prints no stack; everything else is a bug and exits with 1.
 */
export interface ErrorDetails {
  /** The command or key that mends it. */
  readonly hint?: string;
  /** Facts a program may want: file, line, got, expected. */
  readonly context?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export abstract class MimicError extends Error {
  readonly hint: string | undefined;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(
    readonly code: string,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.hint = details.hint;
    this.context = details.context ?? {};
  }
}

/** A configuration key, flag or file that cannot be used as given. */
export class ConfigError extends MimicError {}
/** A tensor of the wrong shape or dtype handed to an op or a layer. */
export class ShapeError extends MimicError {}
/** A record, question file or media file that does not follow its format. */
export class DataError extends MimicError {}
/** A checkpoint that is incomplete, damaged or does not fit the model. */
export class CheckpointError extends MimicError {}
/** A device, library or kernel that is absent or failed. */
export class BackendError extends MimicError {}
/** An HTTP request outside the served limits; `status` is the response's. */
export class RequestError extends MimicError {
  constructor(
    readonly status: number,
    code: string,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(code, message, details);
  }
}
