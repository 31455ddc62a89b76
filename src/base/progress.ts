import { formatDuration } from './format.js';
import { log } from './logger.js';
import type { TerminalStream } from './terminal.js';

export interface ProgressOptions {
  /** Steps, files, clips: what `done` counts up to. */
  readonly total: number;
  readonly stream?: TerminalStream;
  /** Time between lines where the stream is no terminal. */
  readonly intervalSec?: number;
  /** Monotonic seconds; tests give their own clock. */
  readonly now?: () => number;
}

const TERMINAL_INTERVAL_SEC = 0.1;

/**
 * `label 120/800 15% detail ETA 3 min 05 s`: one line kept up to date on a terminal, otherwise a new line every few
 * seconds, so that a log file stays readable.
 */
export class Progress {
  private readonly stream: TerminalStream;
  private readonly intervalSec: number;
  private readonly now: () => number;
  private readonly startedSec: number;
  private readonly firstDone: number;
  private lastShownSec = Number.NEGATIVE_INFINITY;
  private open = false;
  private complete = false;
  /** `--quiet` asks for warnings, errors and results only. */
  private readonly isQuiet: boolean;

  /** @param done where counting starts, after a resume: the ETA is measured from there. */
  constructor(
    private readonly label: string,
    private readonly options: ProgressOptions,
    done = 0,
  ) {
    this.stream = options.stream ?? process.stderr;
    this.isQuiet = options.stream === undefined && !log.shows('info');
    this.intervalSec = this.stream.isTTY ? TERMINAL_INTERVAL_SEC : (options.intervalSec ?? 5);
    this.now = options.now ?? (() => performance.now() / 1000);
    this.startedSec = this.now();
    this.firstDone = done;
  }

  /** @param detail of a list, what a narrow terminal has no room for is left out, from the end */
  update(done: number, detail: string | readonly string[] = ''): void {
    if (this.isQuiet) return;
    const now = this.now();
    // Always shown when all is done, but once: the last of many pieces may be too small to count.
    const complete = done >= this.options.total;
    if (complete ? this.complete : now - this.lastShownSec < this.intervalSec) return;
    this.complete = complete;
    this.lastShownSec = now;
    const { total } = this.options;
    const percent = total > 0 ? ` ${Math.floor((100 * done) / total)}%` : '';
    const eta = this.eta(done, now);
    const line = (parts: readonly string[]) =>
      [`${this.label} ${done}/${total}${percent}`, ...parts, eta].filter(Boolean).join('  ');
    const parts = typeof detail === 'string' ? [detail] : [...detail];
    if (this.stream.isTTY) {
      const width = (this.stream.columns ?? 80) - 1;
      while (parts.length > 1 && line(parts).length > width) parts.pop();
      this.stream.write(`\r\u001b[2K${line(parts).slice(0, width)}`);
      this.open = true;
    } else {
      this.stream.write(`${line(parts)}\n`);
    }
  }

  /** Closes the line; `summary` replaces it. Call it also when the work failed, before printing the error. */
  end(summary = ''): void {
    if (this.isQuiet) return;
    if (summary !== '') this.stream.write(`${this.open ? '\r\u001b[2K' : ''}${summary}\n`);
    else if (this.open) this.stream.write('\n');
    this.open = false;
  }

  private eta(done: number, now: number): string {
    const advanced = done - this.firstDone;
    if (advanced <= 0 || done >= this.options.total) return '';
    return `ETA ${formatDuration(((now - this.startedSec) / advanced) * (this.options.total - done))}`;
  }
}
