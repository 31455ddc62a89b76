/**
 * Messages for a person, on stderr: stdout belongs to results. Programs read the event log instead.
 */
import { type Style, styled, type TerminalStream, usesColor } from './terminal.js';

const LEVELS = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 } as const;
export type LogLevel = keyof typeof LEVELS;
const STYLE_OF: Readonly<Partial<Record<LogLevel, Style>>> = { debug: 'dim', warn: 'yellow', error: 'red' };

export class Logger {
  level: LogLevel = 'info';
  private readonly repeats = new Map<string, number>();

  constructor(private readonly stream: TerminalStream = process.stderr) {}

  /** Whether a message of that level is printed. */
  shows(level: LogLevel): boolean {
    return LEVELS[level] >= LEVELS[this.level];
  }

  debug(message: string): void {
    this.line('debug', `debug ${message}`);
  }

  info(message: string): void {
    this.line('info', message);
  }

  warn(message: string): void {
    this.line('warn', `warning ${message}`);
  }

  error(message: string): void {
    this.line('error', message);
  }

  /** Prints the first warning of a kind and counts the others for `summarizeWarnings`. */
  warnOnce(kind: string, message: string): void {
    const seen = this.repeats.get(kind) ?? 0;
    this.repeats.set(kind, seen + 1);
    if (seen === 0) this.warn(message);
  }

  /** One line for the kinds of warnings that came more than once; starts the count anew. */
  summarizeWarnings(): void {
    const repeated = [...this.repeats].filter(([, count]) => count > 1);
    if (repeated.length > 0)
      this.warn(`repeated: ${repeated.map(([kind, count]) => `${kind} ${count} times`).join(', ')}`);
    this.repeats.clear();
  }

  private line(level: LogLevel, text: string): void {
    if (!this.shows(level)) return;
    const style = STYLE_OF[level];
    this.stream.write(`${style ? styled(text, style, usesColor(this.stream)) : text}\n`);
  }
}

/** The process's logger; the command line sets its level. */
export const log = new Logger();
