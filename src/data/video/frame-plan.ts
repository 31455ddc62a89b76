import { frameIndices } from './frame-indices.js';
import { nearestFrames } from './nearest-frames.js';
import type { SamplingConfig } from './sampling.js';

/** Which frames of the stream each branch takes. */
export interface FramePlan {
  readonly frameCount: number;
  readonly spatial: Int32Array;
  readonly temporal: Int32Array;
  /** What the caps left out of the temporal branch; absent when it has every frame. */
  readonly capped?: string;
}

/**
 * @param frameCount frames of the whole stream
 * @param timesSec needed when `temporal.fps` is set
 */
export function planFrames(frameCount: number, sampling: SamplingConfig, timesSec?: Float64Array): FramePlan {
  const { fps, maxFrames } = sampling.temporal;
  let temporal = Int32Array.from({ length: frameCount }, (_, i) => i);
  const reasons: string[] = [];
  if (fps !== undefined) {
    if (timesSec === undefined) throw new TypeError('planFrames: temporal.fps needs the timestamps');
    temporal = Int32Array.from(nearestFrames(timesSec, fps));
    if (temporal.length < frameCount) reasons.push(`temporal.fps = ${fps}`);
  }
  if (maxFrames !== undefined && temporal.length > maxFrames) {
    const pool = temporal;
    temporal = frameIndices(pool.length, maxFrames).map((i) => pool[i] ?? 0);
    reasons.push(`temporal.maxFrames = ${maxFrames}`);
  }
  const plan = { frameCount, spatial: frameIndices(frameCount, sampling.numFrames), temporal };
  if (reasons.length === 0) return plan;
  return {
    ...plan,
    capped: `the temporal branch has ${temporal.length} of ${frameCount} frames (${reasons.join(', ')})`,
  };
}

/** Frame numbers that either branch takes, increasing, each once. */
export function plannedFrames(plan: FramePlan): Int32Array {
  return Int32Array.from(new Set([...plan.spatial, ...plan.temporal])).sort();
}
