import { readSync } from 'node:fs';

const CHUNK_BYTES = 8 << 20;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export interface FileLine {
  /** Holds the line's bytes until the next one is asked for. */
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  /** Where in the file the line begins. */
  readonly offset: number;
}

/** The bytes of each line, which ends at LF, CR LF or CR. @param onChunk receives all bytes of the file in order */
export function* readLines(fd: number, onChunk: (bytes: Buffer) => void = () => undefined): Generator<FileLine> {
  let buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  /** Bytes of an unfinished line at the start of `buffer`, and where in the file that is. */
  let held = 0;
  let base = 0;
  for (;;) {
    if (held === buffer.length) buffer = Buffer.concat([buffer], 2 * buffer.length);
    const read = readSync(fd, buffer, held, buffer.length - held, base + held);
    onChunk(buffer.subarray(held, held + read));
    const filled = held + read;
    const isLast = read === 0;
    const end = isLast ? filled : buffer.lastIndexOf(LINE_FEED, filled - 1) + 1;
    yield* linesIn(buffer.subarray(0, end), base);
    if (isLast) return;
    buffer.copyWithin(0, end, filled);
    held = filled - end;
    base += end;
  }
}

function* linesIn(buffer: Buffer, base: number): Generator<FileLine> {
  const hasReturns = buffer.includes(CARRIAGE_RETURN);
  for (let start = 0; start < buffer.length; ) {
    const feed = buffer.indexOf(LINE_FEED, start);
    let end = feed < 0 ? buffer.length : feed;
    let next = end + 1;
    const back = hasReturns ? buffer.subarray(start, end).indexOf(CARRIAGE_RETURN) : -1;
    if (back >= 0) {
      if (start + back + 1 < end) next = start + back + 1;
      end = start + back;
    }
    yield { buffer, start, end, offset: base + start };
    start = next;
  }
}
