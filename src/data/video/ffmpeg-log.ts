import { FRAME_KEY } from './ffmpeg-command.js';

/** What ffmpeg reports of the input before the first frame. */
export interface StreamHeader {
  readonly codec: string;
  /** Stored picture, before rotation. */
  readonly width: number;
  readonly height: number;
  /** Absent in live recordings. */
  readonly durationSec?: number;
  /** Nominal rate; 0 when unknown. */
  readonly fps: number;
  /** Clockwise turn that the file asks for and the decoded frames have had: 0, 90, 180 or 270. */
  readonly rotationDeg: number;
}

const MAX_ERROR_LINES = 20;
const MAX_LINE_CHARS = 500;

/**
 * Reads ffmpeg's log line by line and keeps only what is needed: the input's header, one timestamp a frame, the first
 * error lines.
 */
export class FfmpegLog {
  /** Set once, when the input section of the log ends. */
  header: StreamHeader | undefined;
  /** Microseconds, one per decoded frame; NaN where the file has none. */
  readonly timesUs: number[] = [];
  readonly errors: string[] = [];
  /** Matroska keeps no frame count, and ffmpeg steps over a block that it cannot place: only this tells of it. */
  skippedBlocks = false;
  /** Characters of lines other than frames. */
  chars = 0;
  private stream: Omit<StreamHeader, 'rotationDeg'> | undefined;
  private durationSec: number | undefined;
  private rotationDeg = 0;

  push(line: string): void {
    // Unanchored: a decoder thread's message may share the line.
    const frame = /frame:(\d+) +pts:(-?\d+|NOPTS)/.exec(line);
    if (frame !== null) {
      this.timesUs.push(Number(frame[2]));
      return;
    }
    if (line === `${FRAME_KEY}=1`) return;
    this.chars += line.length;
    const error = /\[(?:error|fatal|panic)\] (.*)/.exec(line);
    if (error !== null && this.errors.length < MAX_ERROR_LINES)
      this.errors.push((error[1] ?? '').slice(0, MAX_LINE_CHARS));
    if (this.header === undefined) this.readHeader(line);
  }

  /** Exact indents: two spaces for the input's own lines, deeper for the metadata that the file's author wrote. */
  private readHeader(line: string): void {
    const duration = /^\[info\] {3}Duration: (\d+):(\d\d):(\d\d\.\d+)/.exec(line);
    if (duration !== null && this.durationSec === undefined) {
      this.durationSec = Number(duration[1]) * 3600 + Number(duration[2]) * 60 + Number(duration[3]);
    } else if (/^\[info\] {3}Stream #0:\d+.*: Video: /.test(line) && !line.includes('(attached pic)')) {
      this.stream ??= this.readStream(line);
    } else if (this.stream !== undefined && this.rotationDeg === 0) {
      const turn = /^\[info\] +displaymatrix: rotation of (-?[\d.]+) degrees/.exec(line);
      if (turn !== null) this.rotationDeg = (((Math.round(-Number(turn[1]) / 90) * 90) % 360) + 360) % 360;
    }
    if (this.stream !== undefined && line.startsWith('[info] Stream mapping:')) {
      this.header = { ...this.stream, rotationDeg: this.rotationDeg };
    }
  }

  private readStream(line: string): Omit<StreamHeader, 'rotationDeg'> {
    const picture = /, (\d+)x(\d+)(?:[ ,]|$)/.exec(line);
    return {
      codec: /: Video: (\w+)/.exec(line)?.[1] ?? 'none',
      width: Number(picture?.[1] ?? 0),
      height: Number(picture?.[2] ?? 0),
      fps: Number(/, ([\d.]+) fps/.exec(line)?.[1] ?? 0),
      ...(this.durationSec === undefined ? {} : { durationSec: this.durationSec }),
    };
  }
}
