/** What the process tells its caller; the same for every command. */
export const EXIT_CODE = {
  done: 0,
  internal: 1,
  user: 2,
  someFailed: 3,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT_CODE)[keyof typeof EXIT_CODE];

const MEANING: Readonly<Record<ExitCode, string>> = {
  0: 'done',
  1: 'internal error (a bug)',
  2: 'input, configuration or machine not as needed; the message says how to mend it',
  3: 'done, but some samples failed',
  130: 'interrupted, after a checkpoint was written',
};

/** The lines of --help. */
export function describeExitCodes(codes: readonly ExitCode[]): string {
  return ['Exit codes:', ...codes.map((code) => `  ${String(code).padEnd(4)} ${MEANING[code]}`)].join('\n');
}
