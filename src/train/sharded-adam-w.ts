/**
 * AdamW over many processes: each owns a slice of the parameters taken as one flat vector, keeps the moments of that
 * slice alone, updates it and gets the others' slices back (ZeRO stage 1).
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Communicator } from '../distributed/communicator.js';
import { FlatLayout, type Piece } from '../distributed/flat-layout.js';
import { allGather, reduceScatterSum } from '../distributed/tensor-collectives.js';
import { globalNorm } from '../ops/index.js';
import {
  AdamW,
  type AdamWOptions,
  checkStateFits,
  gradientNotFinite,
  type OptimizedParameter,
  type Optimizer,
  type ParameterMoments,
  type StepOptions,
} from './optimizer.js';
import type { Ranks } from './ranks.js';

export class ShardedAdamW implements Optimizer {
  private readonly layout: FlatLayout;
  private readonly pieces: readonly Piece[];
  /** Updates this rank's pieces, each a vector named as its parameter. */
  private readonly inner: AdamW;
  private readonly values = new Map<string, tf.Tensor>();
  /** Gradients that each parameter has had: known on every rank, owner or not. */
  private readonly steps: number[];
  private readonly communicator: Communicator;

  constructor(
    private readonly parameters: readonly OptimizedParameter[],
    private readonly options: AdamWOptions,
    private readonly ranks: Ranks,
  ) {
    this.communicator = ranks.communicator;
    const sizes = parameters.map(({ name, value }) => ({ name, size: value.size }));
    this.layout = new FlatLayout(sizes, this.communicator.size);
    this.pieces = this.layout.piecesOf(this.communicator.rank);
    this.steps = parameters.map(() => 0);
    this.takeValues();
    const { values } = this;
    const own = this.pieces.map((piece): OptimizedParameter => {
      const { name, value, decay = value.rank > 1, lrScale = 1 } = this.parameterOf(piece);
      return {
        ...{ name, decay, lrScale },
        get value() {
          return pieceValue(values, name);
        },
      };
    });
    this.inner = new AdamW(own, { ...options, setValue: (name, value) => void values.set(name, value) });
    this.dropValues();
  }

  /**
   * Updates every parameter that has a gradient on any rank; a collective.
   *
   * @param gradients this rank's, by parameter name, already divided by what all ranks' losses are divided by
   */
  step(gradients: ReadonlyMap<string, tf.Tensor>, { lr, reached }: StepOptions): number {
    const isReached = (name: string) => reached?.has(name) ?? gradients.has(name);
    const slice = this.sumOfSlice(gradients);
    const own = new Map<string, tf.Tensor>();
    try {
      for (const piece of this.pieces) {
        const { name } = this.parameterOf(piece);
        if (isReached(name)) own.set(name, tf.slice(slice, piece.offset, piece.end - piece.begin));
      }
      const norm = this.normOverRanks(own);
      // Every rank knows the norm: all stop here together.
      if (!Number.isFinite(norm)) this.ranks.throwTogether(gradientNotFinite(gradients, norm));
      this.takeValues();
      this.inner.step(own, { lr, norm });
      this.shareValues(isReached);
      for (const [i, { name }] of this.parameters.entries())
        if (isReached(name)) this.steps[i] = (this.steps[i] ?? 0) + 1;
      return norm;
    } finally {
      tf.dispose([slice, ...own.values()]);
      this.dropValues();
    }
  }

  /** Everything, on rank 0; the others give an empty list. A collective. */
  state(): ParameterMoments[] {
    const { sliceSize, paddedSize, offsets } = this.layout;
    const saved = new Map(this.inner.state().map((moments) => [moments.name, moments]));
    const [m, v] = (['m', 'v'] as const).map((kind) => {
      const slice = new Float32Array(sliceSize);
      for (const piece of this.pieces) {
        slice.set(saved.get(this.parameterOf(piece).name)?.[kind] ?? new Float32Array(), piece.offset);
      }
      const whole = this.ranks.isMain ? new Float32Array(paddedSize) : null;
      this.communicator.gather(slice, whole, 0);
      return whole;
    });
    if (!m || !v) return [];
    return this.parameters.map(({ name, value }, i) => {
      const [begin = 0, step = 0] = [offsets[i], this.steps[i]];
      const end = begin + value.size;
      return { name, step, m: m.slice(begin, end), v: v.slice(begin, end) };
    });
  }

  /** Takes this rank's pieces out of a state of any number of ranks. @throws CheckpointError when it is of other parameters */
  restore(state: readonly ParameterMoments[]): void {
    checkStateFits(this.layout.parameters, state);
    const saved = new Map(state.map((moments) => [moments.name, moments]));
    for (const [i, { name }] of this.parameters.entries()) this.steps[i] = saved.get(name)?.step ?? 0;
    const own = this.pieces.flatMap((piece): ParameterMoments[] => {
      const moments = saved.get(this.parameterOf(piece).name);
      if (moments === undefined) return [];
      const { name, step, m, v } = moments;
      return [{ name, step, m: m.subarray(piece.begin, piece.end), v: v.subarray(piece.begin, piece.end) }];
    });
    this.inner.restore(own);
  }

  dispose(): void {
    this.inner.dispose();
  }

  /** The flat gradient, summed over the ranks: this rank's slice. */
  private sumOfSlice(gradients: ReadonlyMap<string, tf.Tensor>): tf.Tensor1D {
    return tf.tidy(() => {
      const { totalSize, paddedSize } = this.layout;
      const parts = this.parameters.map(({ name, value }): tf.Tensor1D => {
        const gradient = gradients.get(name);
        return gradient === undefined ? tf.zeros([value.size]) : tf.reshape(gradient, [-1]);
      });
      if (paddedSize > totalSize) parts.push(tf.zeros([paddedSize - totalSize]));
      return reduceScatterSum(this.communicator, tf.concat1d(parts));
    });
  }

  private normOverRanks(own: ReadonlyMap<string, tf.Tensor>): number {
    const squares = new Float64Array(this.communicator.size);
    this.communicator.allGather(Float64Array.of(globalNorm([...own.values()]) ** 2), squares);
    return Math.sqrt(squares.reduce((sum, value) => sum + value, 0));
  }

  /** Sets the parameters from all ranks' updated slices. */
  private shareValues(isReached: (name: string) => boolean): void {
    const { sliceSize, offsets } = this.layout;
    const whole = tf.tidy(() => {
      const parts = this.pieces.map((piece) => tf.reshape(pieceValue(this.values, this.parameterOf(piece).name), [-1]));
      const filled = this.pieces.reduce((sum, { begin, end }) => sum + end - begin, 0);
      if (filled < sliceSize) parts.push(tf.zeros([sliceSize - filled]));
      return allGather(this.communicator, tf.concat1d(parts as tf.Tensor1D[]));
    });
    for (const [i, { name, value }] of this.parameters.entries()) {
      if (!isReached(name)) continue;
      const next = tf.tidy(() => tf.reshape(tf.slice(whole, offsets[i] ?? 0, value.size), value.shape));
      tf.keep(next);
      this.options.setValue(name, next);
      value.dispose();
    }
    whole.dispose();
  }

  /** Copies this rank's pieces out of the parameters, as they are now: a load may have replaced them. */
  private takeValues(): void {
    for (const piece of this.pieces) {
      const { name, value } = this.parameterOf(piece);
      const flat = tf.tidy(() => tf.slice(tf.reshape(value, [-1]), piece.begin, piece.end - piece.begin));
      this.values.set(name, tf.keep(flat));
    }
  }

  private dropValues(): void {
    tf.dispose([...this.values.values()]);
    this.values.clear();
  }

  private parameterOf({ parameter }: Piece): OptimizedParameter {
    const found = this.parameters[parameter];
    if (found === undefined) throw new RangeError(`ShardedAdamW: no parameter ${parameter}`);
    return found;
  }
}

function pieceValue(values: ReadonlyMap<string, tf.Tensor>, name: string): tf.Tensor {
  const value = values.get(name);
  if (value === undefined) throw new RangeError(`ShardedAdamW: the piece of ${name} was not taken`);
  return value;
}
