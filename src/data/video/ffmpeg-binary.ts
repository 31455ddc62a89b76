import { execFile } from 'node:child_process';
import { BackendError } from '../../base/errors.js';

const INSTALL = 'install ffmpeg 5.1 or newer (Debian/Ubuntu: sudo apt-get install ffmpeg; macOS: brew install ffmpeg)';
const found = new Map<string, Promise<string>>();

/**
 * The ffmpeg to run: `FFMPEG_PATH`, else `ffmpeg` on the PATH. Asked for its version once a process (about 70 ms, all of it
 * the loading of its 200 shared libraries), in place of fluent-ffmpeg's two capability queries.
 *
 * @throws BackendError E_FFMPEG_ABSENT when it cannot be run, E_FFMPEG_VERSION when it is older than 5.1
 */
export function ffmpegBinary(): Promise<string> {
  const binary = process.env['FFMPEG_PATH'] || 'ffmpeg';
  let pending = found.get(binary);
  if (pending === undefined) {
    pending = checkVersion(binary);
    found.set(binary, pending);
    // Installing it later must help: a failure is not remembered.
    pending.catch(() => found.delete(binary));
  }
  return pending;
}

async function checkVersion(binary: string): Promise<string> {
  const banner = await new Promise<string>((resolve, reject) => {
    try {
      execFile(binary, ['-version'], { timeout: 10_000, killSignal: 'SIGKILL' }, (error, stdout) =>
        error === null ? resolve(stdout) : reject(ffmpegAbsent(binary, error)),
      );
    } catch (error) {
      // A file that is not an executable at all fails inside execFile itself.
      reject(ffmpegAbsent(binary, error));
    }
  });
  const version = /^ffmpeg version n?(\d+)\.(\d+)/.exec(banner);
  // Builds from a snapshot carry a date or a hash in place of a number; those are taken as recent.
  if (version !== null && Number(version[1]) + Number(version[2]) / 100 < 5.01) {
    const message = `ffmpeg ${version[1]}.${version[2]} is too old, 5.1 is needed: ${binary}`;
    throw new BackendError('E_FFMPEG_VERSION', message, { hint: INSTALL });
  }
  return binary;
}

/** A binary that the system cannot start: absent, not executable, or no process to be had. */
export function ffmpegAbsent(binary: string, cause: unknown): BackendError {
  const reason = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
  return new BackendError('E_FFMPEG_ABSENT', `ffmpeg cannot be run${reason}: ${binary}`, { hint: INSTALL, cause });
}
