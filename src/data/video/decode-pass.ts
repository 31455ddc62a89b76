import { argumentsOf, type CommandRequest, ffmpegCommand } from './ffmpeg-command.js';
import { ffmpegFailure } from './ffmpeg-failure.js';
import { FfmpegLog, type StreamHeader } from './ffmpeg-log.js';
import type { PictureSink } from './frame-sink.js';
import type { VideoLimits } from './limits.js';
import { runFfmpeg } from './run-ffmpeg.js';
import { videoError } from './video-error.js';
import type { WarmFfmpeg } from './warm/warm-ffmpeg.js';

/** Raw pictures have no times, so a varying frame rate rounds two of them to one: nothing is wrong with the file. */
const OF_OUTPUT = /to muxer in stream/;

export interface PassRequest extends CommandRequest {
  /** As the caller wrote it, for messages. */
  readonly path: string;
  /** Frames the stream must have; undefined when nothing declares a number. */
  readonly frameCount?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Default: an ffmpeg process is started. */
  readonly warm?: WarmFfmpeg | undefined;
}

export interface PassResult {
  readonly header: StreamHeader;
  /** One per decoded frame, kept or not. */
  readonly timesSec: Float64Array;
  /** What ffmpeg logged as errors and got over: every frame came all the same. */
  readonly repairs: readonly string[];
}

/**
 * Runs ffmpeg once over the video, pictures to `sink`, and returns only what is certain: a pass that breaks a limit, meets damage or ends with
 * another number of frames than declared throws, and its process is dead by then.
 *
 * @throws DataError E_VIDEO_* (see video-error.ts)
 */
export async function decodePass(request: PassRequest, sink: PictureSink): Promise<PassResult> {
  const { path, limits, signal, keep, frameCount } = request;
  const log = new FfmpegLog();
  const maxFrames = frameCount ?? limits.maxFrames;
  const startedAt = performance.now();
  let timer: NodeJS.Timeout | undefined;
  let stopped: Error | undefined;

  const command = ffmpegCommand(request, sink);
  const onLine = (line: string) => {
    const opening = log.header === undefined;
    log.push(line);
    if (log.header !== undefined && opening) {
      stop(headerProblem(path, log.header, limits));
      setDeadline(Math.max(limits.timeoutMs, (log.header.durationSec ?? 0) * limits.timeoutPerSec * 1000), 'decoding');
    }
    if (log.timesUs.length > maxFrames) stop(tooManyFrames(path, maxFrames, frameCount !== undefined));
    if ((log.timesUs.at(-1) ?? 0) > limits.maxDurationSec * 1e6) stop(tooLong(path, limits.maxDurationSec));
    if (log.chars > limits.maxLogBytes)
      stop(videoError('DAMAGED', path, `ffmpeg logged over ${limits.maxLogBytes} bytes`));
  };
  const run = request.warm?.run(argumentsOf(command), sink, onLine) ?? runFfmpeg(command, sink, onLine);
  setDeadline(limits.headerTimeoutMs, 'opening the file');
  const onAbort = () => stop(videoError('ABORTED', path, 'decoding was aborted', { cause: signal?.reason }));
  signal?.addEventListener('abort', onAbort);
  if (signal?.aborted) onAbort();

  const failure = await run.exit.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  });
  if (stopped !== undefined) throw stopped;
  if (failure !== undefined || log.header === undefined || log.skippedBlocks) throw ffmpegFailure(path, log, failure);
  const timesSec = Float64Array.from(log.timesUs, (us) => us / 1e6);
  checkFrames(request, log, timesSec);
  const complaint = sink.complaint(keep?.length ?? timesSec.length);
  if (complaint !== undefined) throw videoError('DAMAGED', path, complaint);
  return { header: log.header, timesSec, repairs: log.errors.filter((line) => !OF_OUTPUT.test(line)) };

  /** The first reason is the one reported. */
  function stop(reason: Error | undefined): void {
    if (reason === undefined || stopped !== undefined) return;
    stopped = reason;
    run.kill();
  }

  function setDeadline(ms: number, stage: string): void {
    clearTimeout(timer);
    const message = `${stage} took longer than ${ms} ms`;
    // setTimeout fires at once beyond its range of 2^31 ms.
    const left = Math.min(ms - (performance.now() - startedAt), 2 ** 31 - 1);
    timer = setTimeout(() => stop(videoError('TIMEOUT', path, message)), left);
  }
}

function headerProblem(path: string, header: StreamHeader, limits: VideoLimits): Error | undefined {
  const { codec, width, height, durationSec } = header;
  if (!limits.codecs.includes(codec)) {
    return videoError('CODEC', path, `codec '${codec}' is not accepted (expected one of ${limits.codecs.join(', ')})`);
  }
  if (width * height > limits.maxPixels) {
    return videoError(
      'DIMENSIONS',
      path,
      `the picture has ${width} x ${height} pixels, the limit is ${limits.maxPixels}`,
    );
  }
  return (durationSec ?? 0) > limits.maxDurationSec ? tooLong(path, limits.maxDurationSec, durationSec) : undefined;
}

function tooLong(path: string, limitSec: number, durationSec?: number): Error {
  const length = durationSec === undefined ? '' : ` (it declares ${durationSec} s)`;
  return videoError('TOO_LONG', path, `the video is longer than ${limitSec} s${length}`);
}

function tooManyFrames(path: string, count: number, declared: boolean): Error {
  return declared
    ? videoError('TRUNCATED', path, `the video decodes to more than the ${count} frames it declares`)
    : videoError('TOO_LONG', path, `the video has more than ${count} frames`);
}

/** Exit status 0 proves nothing: a damaged file can decode to fewer frames than it has, or to none. */
function checkFrames({ path, frameCount }: PassRequest, log: FfmpegLog, timesSec: Float64Array): void {
  const decoded = timesSec.length;
  if (decoded === 0 || decoded !== (frameCount ?? decoded)) {
    const wanted = frameCount === undefined ? 'at least 1' : `the ${frameCount} it declares`;
    const context = { decoded, declared: frameCount, log: log.errors };
    throw videoError('TRUNCATED', path, `the video decodes to ${decoded} frames, expected ${wanted}`, { context });
  }
  const wrong = timesSec.findIndex((time, i) => Number.isNaN(time) || time < (timesSec[i - 1] ?? time));
  if (wrong >= 0) {
    throw videoError('TIMESTAMPS', path, `frame ${wrong} has no timestamp or one before its predecessor's`);
  }
}
