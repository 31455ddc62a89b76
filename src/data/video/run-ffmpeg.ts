import { ChildProcess } from 'node:child_process';
import { finished, type Writable } from 'node:stream';
import type { FfmpegCommand } from 'fluent-ffmpeg';

export interface FfmpegRun {
  /** Resolves when the process is gone and `sink` has everything: undefined after status 0, else what went wrong. */
  readonly exit: Promise<Error | undefined>;
  /** SIGKILL, at once or as soon as the process exists. ffmpeg starts no process of its own, so none is left behind. */
  kill(): void;
}

/** Starts `command`, which writes to `sink`; `onLine` gets its log line by line. */
export function runFfmpeg(command: FfmpegCommand, sink: Writable, onLine: (line: string) => void): FfmpegRun {
  let started = false;
  let killed = false;
  const exit = new Promise<Error | undefined>((resolve) => {
    command.on('start', () => {
      started = true;
      if (killed) command.kill('SIGKILL');
      guardSpawn(command, resolve);
    });
    command.on('stderr', onLine);
    command.on('error', (error) => resolve(error));
    // The process may end before the last bytes of its pipe are read.
    command.on('end', () => finished(sink, { readable: false }, (error) => resolve(error ?? undefined)));
  });
  command.run();
  return {
    exit,
    kill() {
      killed = true;
      if (started) command.kill('SIGKILL');
    },
  };
}

/**
 * A process that cannot be started (no memory, no free process slot) makes fluent-ffmpeg's own handler throw outside any
 * promise, which would end Node; report it instead.
 */
function guardSpawn(command: FfmpegCommand, report: (error: Error) => void): void {
  const child = 'ffmpegProc' in command ? command.ffmpegProc : undefined;
  if (!(child instanceof ChildProcess)) return;
  child.removeAllListeners('error');
  child.on('error', report);
}
