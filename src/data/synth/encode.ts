import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { BackendError } from '../../base/errors.js';
import { ffmpegBinary } from '../video/ffmpeg-binary.js';
import { CLIP_SIZE, PERIOD, SAMPLED_PHASE } from './clip.js';
import { CLIP_FPS, CLIP_FRAMES } from './record.js';

/**
 * Key frames: the first of a clip, which starts a file, and every sampled one. A predicted frame keeps traces of the
 * pictures before it, and a quantiser that looks ahead adapts to those after it; with plain settings a linear probe on the
 * sampled frames reads motion and lamp at 0.45 (chance 0.25). Key frames at a constant quantiser hide both.
 */
const KEY_FRAMES = `expr:eq(mod(n,${CLIP_FRAMES}),0)+eq(mod(mod(n,${CLIP_FRAMES}),${PERIOD}),${SAMPLED_PHASE})`;

/** H.264 as platforms serve it; one thread, so that the bytes depend on the frames and the version alone. */
export const ENCODER_ARGS: readonly string[] = [
  ...['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '23', '-pix_fmt', 'yuv420p', '-threads', '1'],
  ...['-x264-params', 'no-mbtree=1:qcomp=1:ipratio=1:pbratio=1', '-sc_threshold', '0', '-force_key_frames', KEY_FRAMES],
  ...['-fflags', '+bitexact', '-flags', '+bitexact'],
  ...['-f', 'segment', '-segment_time', `${CLIP_FRAMES / CLIP_FPS}`, '-reset_timestamps', '1'],
  ...['-segment_format', 'mp4'],
];
const INPUT_ARGS = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${CLIP_SIZE}x${CLIP_SIZE}`, '-r', `${CLIP_FPS}`];
const STDERR_CHARS = 2000;

/**
 * Encodes clips to `dir`/0000.mp4, 0001.mp4, ... with one ffmpeg process, which costs a tenth of a process each.
 *
 * ffmpeg is spawned directly: frames go to its standard input as fast as it takes them, which fluent-ffmpeg only offers
 * for streams, and that wrapper starts further processes to ask ffmpeg for its formats.
 *
 * @param clips RGB, uint8 [33, 64, 64, 3] each; drawn while ffmpeg works on those before
 * @returns the files, in order
 * @throws BackendError E_FFMPEG_ABSENT, E_FFMPEG_ENCODE; the abort reason of `signal`
 */
export async function encodeClips(clips: Iterable<Uint8Array>, dir: string, signal?: AbortSignal): Promise<string[]> {
  signal?.throwIfAborted();
  const binary = await ffmpegBinary();
  const args = ['-v', 'error', '-nostdin', '-y', ...INPUT_ARGS, '-i', 'pipe:0', '-an', ...ENCODER_ARGS];
  const child = spawn(binary, [...args, join(dir, '%04d.mp4')], { stdio: ['pipe', 'ignore', 'pipe'] });
  const kill = () => child.kill('SIGKILL');
  signal?.addEventListener('abort', kill);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_CHARS);
  });
  // A process that dies early breaks the pipe; its exit status and message say why.
  let pipeError = '';
  child.stdin.on('error', (error) => {
    pipeError = error.message;
  });
  const exit = new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, name) => resolve(code === 0 ? undefined : `${code ?? name}`));
  });
  let count = 0;
  try {
    for (const clip of clips) {
      count++;
      if (!child.stdin.write(clip)) await Promise.race([drained(child.stdin), exit]);
      if (child.stdin.destroyed) break;
    }
    child.stdin.end();
    const status = await exit;
    signal?.throwIfAborted();
    if (status !== undefined) {
      throw new BackendError(
        'E_FFMPEG_ENCODE',
        `${binary} could not write clips to ${dir}: got exit ${status}: ${stderr.trim() || pipeError}`,
        {
          hint: 'it needs the encoder libx264 (listed by "ffmpeg -encoders") and room on the disk',
        },
      );
    }
  } finally {
    signal?.removeEventListener('abort', kill);
    kill();
    await exit;
  }
  return Array.from({ length: count }, (_, i) => join(dir, `${String(i).padStart(4, '0')}.mp4`));
}

function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.once('drain', resolve);
  });
}
