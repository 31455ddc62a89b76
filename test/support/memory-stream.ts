import type { TerminalStream } from '../../src/base/terminal.js';

/** A stream that keeps what was written. */
export class MemoryStream implements TerminalStream {
  text = '';
  readonly columns = 60;

  constructor(readonly isTTY = false) {}

  write(text: string): void {
    this.text += text;
  }
}
