/** What a logger or progress line needs of a stream; process.stderr is one. */
export interface TerminalStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;
export type Style = keyof typeof STYLES;

/** Colour only on a terminal, and never when NO_COLOR is set (no-color.org) or TERM is dumb. */
export function usesColor(stream: TerminalStream, env: NodeJS.ProcessEnv = process.env): boolean {
  return stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}

/** `text` in a style where the stream shows styles, else unchanged. */
export function styled(text: string, style: Style, color: boolean): string {
  return color ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text;
}
