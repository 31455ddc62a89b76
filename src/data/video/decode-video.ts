import { availableParallelism } from 'node:os';
import type { VideoFrames } from '../../model/frames.js';
import { BranchFrames, numBranchFrames } from './branch-frames.js';
import { readContainer } from './container.js';
import { decodePass, type PassResult } from './decode-pass.js';
import { ffmpegBinary } from './ffmpeg-binary.js';
import { type FramePlan, planFrames, plannedFrames } from './frame-plan.js';
import { FrameSink } from './frame-sink.js';
import { type VideoLimits, videoLimits } from './limits.js';
import { localFile } from './local-file.js';
import { NativeSink } from './native-sink.js';
import { Pool } from './pool.js';
import type { SamplingConfig } from './sampling.js';
import { selectFrames } from './select-frames.js';
import { videoError } from './video-error.js';
import { warmFfmpeg } from './warm/shared.js';

export interface VideoSource {
  /** Stored picture in pixels, before rotation. */
  readonly width: number;
  readonly height: number;
  readonly durationSec: number;
  /** Measured over the timestamps, to a thousandth; the nominal rate for a single frame. */
  readonly avgFps: number;
  readonly codec: string;
  /** Frames decoded. */
  readonly frameCount: number;
  /** Frames the container's index declares; equal to `frameCount` when present. */
  readonly declaredFrames?: number;
  /** Clockwise turn asked for by the file and applied to the frames. */
  readonly rotationDeg: number;
}

export interface DecodedVideo extends VideoFrames {
  readonly path: string;
  readonly source: VideoSource;
  /** What a cap left out of the temporal branch. */
  readonly capped?: string;
  /** Errors that ffmpeg got over. */
  readonly repairs: readonly string[];
}

export interface DecodeOptions {
  readonly limits?: Partial<VideoLimits>;
  readonly signal?: AbortSignal;
  /** Bounds concurrent ffmpeg processes; one pool of a slot per CPU is shared by default. */
  readonly pool?: Pool;
  /** Forks a warm ffmpeg where it can instead of starting one: for many short clips, see warm/. */
  readonly warm?: boolean;
}

const sharedPool = new Pool(availableParallelism());

/**
 * Decodes a local video once and gives both branches their frames: RGB squares of `sampling.size`, made as `sampling.fit`
 * says (sampling.ts).
 *
 * Cost, with Debian's ffmpeg 5.1: starting any ffmpeg or ffprobe process takes 70 ms of CPU, decoding 33 frames of 64 x 64
 * takes 3. So there is no ffprobe: the container's own fields are read here (container.ts), the limits are options of the one
 * ffmpeg process, and the header that it logs is checked before any frame is used. Such a clip takes 90 ms of CPU,
 * Node's part included, and 17 with `warm`: about 40 s for 840 of them on two free cores, where a probe each would make it 70.
 * A second pass runs only when the frame count is not declared, or `temporal.fps` is set, and all frames exceed the byte
 * budget: the first pass then counts and times, the second keeps the planned frames.
 *
 * With `fit: squash` ffmpeg hands over the planned frames at their own size, and each is resized for its branches as it
 * comes: one native picture is held, never all. The plan must then be known first, so an undeclared frame count or
 * `temporal.fps` always costs the counting pass.
 *
 * What no decoder can see is a flipped bit that leaves the stream decodable: compare the file's hash for that.
 *
 * @throws DataError E_VIDEO_* for the file (video-error.ts lists them with their mends); BackendError E_FFMPEG_* for ffmpeg
 */
export async function decodeVideo(
  path: string,
  sampling: SamplingConfig,
  options: DecodeOptions = {},
): Promise<DecodedVideo> {
  const { signal, pool = sharedPool } = options;
  if (signal?.aborted) throw aborted(path, signal.reason);
  const limits = videoLimits(options.limits);
  const file = await localFile(path, videoError);
  const { declaredFrames } = await readContainer(file);
  if (declaredFrames !== undefined && declaredFrames > limits.maxFrames) {
    throw videoError('TOO_LONG', path, `the video declares ${declaredFrames} frames, the limit is ${limits.maxFrames}`);
  }
  const binary = await ffmpegBinary();
  const warm = options.warm ? await warmFfmpeg(binary) : undefined;
  const request = { path, file, sampling, limits, signal, binary, warm };
  const frameBytes = sampling.size ** 2 * 3;

  try {
    return await pool.run(decode, signal);
  } catch (error) {
    throw signal?.aborted && error === signal.reason ? aborted(path, error) : error;
  }

  async function decode(): Promise<DecodedVideo> {
    // With a declared count and no timestamps to consult, the plan precedes the decode: only planned frames are scaled.
    const plan =
      declaredFrames !== undefined && sampling.temporal.fps === undefined
        ? planFrames(declaredFrames, sampling)
        : undefined;
    return sampling.fit === 'squash' ? await decodeNative(plan) : await decodeSquares(plan);
  }

  async function decodeSquares(early: FramePlan | undefined): Promise<DecodedVideo> {
    const tooMany = early === undefined && (declaredFrames ?? 0) * frameBytes > limits.maxBytes;
    let keep = early === undefined ? (tooMany ? new Int32Array(0) : undefined) : affordable(early);
    let { result, data } = await squares(keep, declaredFrames);
    const plan = early ?? planFrames(result.timesSec.length, sampling, result.timesSec);
    if (tooMany || data === undefined) {
      keep = affordable(plan);
      ({ result, data } = await squares(keep, plan.frameCount));
    }
    if (data === undefined) throw videoError('BUDGET', path, `the frames exceed ${limits.maxBytes} bytes`);
    const stored = { data, size: sampling.size, stored: keep, timesSec: result.timesSec };
    const pick = (indices: Int32Array) => selectFrames(stored, indices);
    return describe(result, plan, { spatial: pick(plan.spatial), temporal: pick(plan.temporal) });
  }

  async function squares(keep: Int32Array | undefined, frameCount: number | undefined) {
    const sink = new FrameSink(frameBytes, limits.maxBytes, keep?.length ?? frameCount);
    const result = await decodePass({ ...request, output: 'square', keep, frameCount }, sink);
    return { result, data: sink.overflowed ? undefined : sink.bytes() };
  }

  async function decodeNative(early: FramePlan | undefined): Promise<DecodedVideo> {
    const plan = early ?? (await countFrames());
    const keep = affordable(plan);
    const branches = new BranchFrames(plan, sampling);
    const sink = new NativeSink(limits.maxPixels, (picture, row) => branches.add(picture, keep?.[row] ?? row));
    const result = await decodePass({ ...request, output: 'native', keep, frameCount: plan.frameCount }, sink);
    return describe(result, plan, branches.frames(result.timesSec));
  }

  /** A pass that keeps nothing. */
  async function countFrames(): Promise<FramePlan> {
    const { timesSec } = (await squares(new Int32Array(0), declaredFrames)).result;
    return planFrames(timesSec.length, sampling, timesSec);
  }

  /** The planned frames, undefined for every frame. */
  function affordable(plan: FramePlan): Int32Array | undefined {
    const kept = plannedFrames(plan);
    const frames = sampling.fit === 'squash' ? numBranchFrames(plan) : kept.length;
    if (frames * frameBytes > limits.maxBytes) {
      const most = Math.max(0, Math.floor(limits.maxBytes / frameBytes) - sampling.numFrames);
      const problem = `${frames} frames of ${frameBytes} bytes exceed the budget of ${limits.maxBytes} bytes`;
      throw videoError('BUDGET', path, `${problem} (temporal.maxFrames of up to ${most} would fit)`);
    }
    return kept.length === plan.frameCount ? undefined : kept;
  }

  function describe({ header, timesSec, repairs }: PassResult, plan: FramePlan, frames: VideoFrames): DecodedVideo {
    const frameCount = timesSec.length;
    const spanSec = (timesSec[frameCount - 1] ?? 0) - (timesSec[0] ?? 0);
    const avgFps = spanSec > 0 ? Math.round(((frameCount - 1) / spanSec) * 1000) / 1000 : header.fps;
    const { fps: _nominal, durationSec = avgFps > 0 ? frameCount / avgFps : 0, ...picture } = header;
    return {
      path,
      source: { ...picture, durationSec, avgFps, frameCount, ...(declaredFrames ? { declaredFrames } : {}) },
      ...frames,
      repairs,
      ...(plan.capped === undefined ? {} : { capped: plan.capped }),
    };
  }
}

function aborted(path: string, cause: unknown): Error {
  return videoError('ABORTED', path, 'decoding was aborted', { cause });
}
