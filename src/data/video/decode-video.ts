import { availableParallelism } from 'node:os';
import type { VideoFrames } from '../../model/frames.js';
import { readContainer } from './container.js';
import { decodePass, type PassResult } from './decode-pass.js';
import { ffmpegBinary } from './ffmpeg-binary.js';
import { type FramePlan, planFrames, plannedFrames } from './frame-plan.js';
import { type VideoLimits, videoLimits } from './limits.js';
import { localFile } from './local-file.js';
import { Pool } from './pool.js';
import type { SamplingConfig } from './sampling.js';
import { selectFrames } from './select-frames.js';
import { videoError } from './video-error.js';

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
}

export interface DecodeOptions {
  readonly limits?: Partial<VideoLimits>;
  readonly signal?: AbortSignal;
  /** Bounds concurrent ffmpeg processes; one pool of a slot per CPU is shared by default. */
  readonly pool?: Pool;
}

const sharedPool = new Pool(availableParallelism());

/**
 * Decodes a local video once and gives both branches their frames: rgb24, the centre square at `sampling.size`.
 *
 * Cost, with Debian's ffmpeg 5.1: starting any ffmpeg or ffprobe process takes 70 ms of CPU, decoding 33 frames of 64 x 64
 * takes 3. So there is no ffprobe: the container's own fields are read here (container.ts), the limits are options of the one
 * ffmpeg process, and the header that it logs is checked before any frame is used. Such a clip takes 90 ms of CPU,
 * Node's part included: about 40 s for 840 of them on two free cores, where a probe each would make it 70.
 * A second pass runs only when the frame count is not declared, or `temporal.fps` is set, and all frames exceed the byte
 * budget: the first pass then counts and times, the second keeps the planned frames.
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
  const request = { path, file, sampling, limits, signal, binary: await ffmpegBinary() };
  const frameBytes = sampling.size ** 2 * 3;

  try {
    return await pool.run(decode, signal);
  } catch (error) {
    throw signal?.aborted && error === signal.reason ? aborted(path, error) : error;
  }

  async function decode(): Promise<DecodedVideo> {
    // With a declared count and no timestamps to consult, the plan precedes the decode: only planned frames are scaled.
    const early =
      declaredFrames !== undefined && sampling.temporal.fps === undefined
        ? planFrames(declaredFrames, sampling)
        : undefined;
    const tooMany = early === undefined && (declaredFrames ?? 0) * frameBytes > limits.maxBytes;
    let keep = early === undefined ? (tooMany ? new Int32Array(0) : undefined) : affordable(early);
    let pass = await decodePass({ ...request, keep, frameCount: declaredFrames });
    const plan = early ?? planFrames(pass.timesSec.length, sampling, pass.timesSec);
    if (tooMany || pass.data === undefined) {
      keep = affordable(plan);
      pass = await decodePass({ ...request, keep, frameCount: plan.frameCount });
    }
    return assemble(pass, plan, keep);
  }

  /** The planned frames, undefined for every frame. */
  function affordable(plan: FramePlan): Int32Array | undefined {
    const kept = plannedFrames(plan);
    if (kept.length * frameBytes > limits.maxBytes) {
      const most = Math.max(0, Math.floor(limits.maxBytes / frameBytes) - sampling.numFrames);
      const problem = `${kept.length} frames of ${frameBytes} bytes exceed the budget of ${limits.maxBytes} bytes`;
      throw videoError('BUDGET', path, `${problem} (temporal.maxFrames of up to ${most} would fit)`);
    }
    return kept.length === plan.frameCount ? undefined : kept;
  }

  function assemble(
    { header, timesSec, data }: PassResult,
    plan: FramePlan,
    stored: Int32Array | undefined,
  ): DecodedVideo {
    if (data === undefined) throw videoError('BUDGET', path, `the frames exceed ${limits.maxBytes} bytes`);
    const frameCount = timesSec.length;
    const spanSec = (timesSec[frameCount - 1] ?? 0) - (timesSec[0] ?? 0);
    const avgFps = spanSec > 0 ? Math.round(((frameCount - 1) / spanSec) * 1000) / 1000 : header.fps;
    const { fps: _nominal, durationSec = avgFps > 0 ? frameCount / avgFps : 0, ...picture } = header;
    const pick = (indices: Int32Array) => selectFrames({ data, size: sampling.size, stored, timesSec }, indices);
    return {
      path,
      source: { ...picture, durationSec, avgFps, frameCount, ...(declaredFrames ? { declaredFrames } : {}) },
      spatial: pick(plan.spatial),
      temporal: pick(plan.temporal),
      ...(plan.capped === undefined ? {} : { capped: plan.capped }),
    };
  }
}

function aborted(path: string, cause: unknown): Error {
  return videoError('ABORTED', path, 'decoding was aborted', { cause });
}
