import type { VideoFrames } from '../../model/frames.js';
import { cropToSquare, squashToSquare } from '../pixels/branch-pixels.js';
import type { RgbImage } from '../pixels/rgb-image.js';
import type { FramePlan } from './frame-plan.js';
import type { SamplingConfig } from './sampling.js';
import { selectFrames } from './select-frames.js';

/** Frames stored by `fit: squash`: each branch has pixels of its own. */
export function numBranchFrames(plan: FramePlan): number {
  return new Set(plan.spatial).size + plan.temporal.length;
}

/** Both branches' squares, made of whole pictures as they come; no picture is kept. */
export class BranchFrames {
  private readonly spatial: Rows;
  private readonly temporal: Rows;

  constructor(
    private readonly plan: FramePlan,
    private readonly sampling: Pick<SamplingConfig, 'size' | 'resize' | 'pillow'>,
  ) {
    this.spatial = new Rows(plan.spatial, sampling.size);
    this.temporal = new Rows(plan.temporal, sampling.size);
  }

  /** @param index the picture's number in the stream */
  add(picture: RgbImage, index: number): void {
    const { size, resize, pillow } = this.sampling;
    this.spatial.put(index, () => squashToSquare(picture, size, resize, pillow));
    this.temporal.put(index, () => cropToSquare(picture, size, pillow));
  }

  /** @param timesSec of the whole stream */
  frames(timesSec: Float64Array): VideoFrames {
    const { size } = this.sampling;
    const pick = ({ data, stored }: Rows, indices: Int32Array) =>
      selectFrames({ data, size, stored, timesSec }, indices);
    return { spatial: pick(this.spatial, this.plan.spatial), temporal: pick(this.temporal, this.plan.temporal) };
  }
}

/** Squares of a branch, each frame once. */
class Rows {
  readonly stored: Int32Array;
  readonly data: Uint8Array;
  private readonly rowOf: ReadonlyMap<number, number>;
  private readonly rowBytes: number;

  constructor(indices: Int32Array, size: number) {
    this.stored = Int32Array.from(new Set(indices)).sort();
    this.rowOf = new Map(Array.from(this.stored, (index, row) => [index, row]));
    this.rowBytes = size * size * 3;
    this.data = new Uint8Array(this.stored.length * this.rowBytes);
  }

  put(index: number, square: () => Uint8Array): void {
    const row = this.rowOf.get(index);
    if (row !== undefined) this.data.set(square(), row * this.rowBytes);
  }
}
