import * as tf from '@tensorflow/tfjs-core';
import { CheckpointError, ConfigError, ShapeError } from '../base/errors.js';
import { type AdamWTensors, adamWMany, globalNorm } from '../ops/index.js';

export interface OptimizedParameter {
  readonly name: string;
  /**
   * Read before every step: a getter, such as a model's Parameter has, follows values that are loaded later. A plain
   * property gives the first value only; after that the optimizer goes on from the one it set last.
   */
  readonly value: tf.Tensor;
  /** Whether weight decay acts on it; default: from rank 2 on, so not on biases, norms and gates. */
  readonly decay?: boolean;
  /** Factor on the learning rate. */
  readonly lrScale?: number;
}

export interface AdamWConfig {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** Gradients whose common norm is larger are scaled down to it; 0 switches clipping off. */
  readonly maxGradNorm: number;
}

export interface AdamWOptions extends AdamWConfig {
  /** Receives each new value and owns it; the tensor it replaces is disposed after the call. */
  readonly setValue: (name: string, value: tf.Tensor) => void;
}

/** What AdamW knows about one parameter; `step` counts the gradients it has had. */
export interface ParameterMoments {
  readonly name: string;
  readonly step: number;
  readonly m: Float32Array;
  readonly v: Float32Array;
}

export interface StepOptions {
  readonly lr: number;
  /** Parameters with a gradient on any rank; default: those with one here. */
  readonly reached?: ReadonlySet<string>;
  /** The gradients' global norm, where these are only some of them. */
  readonly norm?: number;
}

/** What the trainer and the run folder ask of an optimizer. */
export interface Optimizer {
  step(gradients: ReadonlyMap<string, tf.Tensor>, options: StepOptions): number;
  state(): ParameterMoments[];
  restore(state: readonly ParameterMoments[]): void;
  dispose(): void;
}

interface Slot {
  readonly parameter: OptimizedParameter;
  readonly weightDecay: number;
  readonly lrScale: number;
  /** The value that the last step set. */
  lastSet: tf.Tensor | undefined;
  m: tf.Tensor;
  v: tf.Tensor;
  step: number;
}

/** PyTorch adds it to the norm before dividing; the same here keeps runs comparable. */
const CLIP_EPS = 1e-6;

/**
 * AdamW with clipping by global norm, as torch.optim.AdamW after torch.nn.utils.clip_grad_norm_.
 *
 * A parameter without a gradient in a step is left alone: no decay, no momentum, no count.
 */
export class AdamW implements Optimizer {
  private readonly slots: Slot[];

  constructor(
    parameters: readonly OptimizedParameter[],
    private readonly options: AdamWOptions,
  ) {
    this.slots = parameters.map((parameter) => ({
      parameter,
      weightDecay: (parameter.decay ?? parameter.value.rank > 1) ? options.weightDecay : 0,
      lrScale: parameter.lrScale ?? 1,
      lastSet: undefined,
      m: tf.keep(tf.zerosLike(parameter.value)),
      v: tf.keep(tf.zerosLike(parameter.value)),
      step: 0,
    }));
  }

  /**
   * Updates every parameter that has a gradient.
   *
   * @param gradients by parameter name; they stay the caller's
   * @returns the gradients' global norm before clipping
   * @throws ConfigError E_GRADIENT_NOT_FINITE, before any parameter has changed
   */
  step(gradients: ReadonlyMap<string, tf.Tensor>, { lr, norm: given }: StepOptions): number {
    const slots = this.slots.filter(({ parameter }) => gradients.has(parameter.name));
    if (slots.length < gradients.size) throw this.unknownGradient(gradients);
    const norm = given ?? globalNorm([...gradients.values()]);
    if (!Number.isFinite(norm)) throw gradientNotFinite(gradients, norm);
    const { maxGradNorm, beta1, beta2, eps } = this.options;
    const gradScale = maxGradNorm === 0 ? 1 : Math.min(1, maxGradNorm / (norm + CLIP_EPS));
    // All values are looked up before the first count changes: a stale one changes nothing.
    const updates = slots.map((slot) => ({ ...this.tensorsOf(slot, gradients), ...this.hyper(slot, lr) }));
    const results = adamWMany(updates, { beta1, beta2, eps, gradScale });
    for (const [i, [nextParam, nextM, nextV]] of results.entries()) {
      const [slot, update] = [slots[i], updates[i]];
      if (slot === undefined || update === undefined) throw new RangeError(`AdamW: an update too many (${i})`);
      slot.step = update.step;
      slot.lastSet = tf.keep(nextParam);
      slot.m = tf.keep(nextM);
      slot.v = tf.keep(nextV);
      this.options.setValue(slot.parameter.name, nextParam);
      tf.dispose([update.param, update.m, update.v]);
    }
    return norm;
  }

  private tensorsOf(slot: Slot, gradients: ReadonlyMap<string, tf.Tensor>): AdamWTensors {
    const grad = gradients.get(slot.parameter.name);
    if (grad === undefined) throw new RangeError(`AdamW: no gradient of ${slot.parameter.name}`);
    return { param: currentValue(slot), grad, m: slot.m, v: slot.v };
  }

  private hyper({ weightDecay, lrScale, step }: Slot, lr: number) {
    return { lr: lr * lrScale, weightDecay, step: step + 1 };
  }

  /** A copy on the host; waits for the device. */
  state(): ParameterMoments[] {
    return this.slots.map(({ parameter, step, m, v }) => ({
      name: parameter.name,
      step,
      m: m.dataSync<'float32'>().slice(),
      v: v.dataSync<'float32'>().slice(),
    }));
  }

  /** Continues from a saved state. @throws CheckpointError when it belongs to other parameters; then nothing changed */
  restore(state: readonly ParameterMoments[]): void {
    checkStateFits(
      this.slots.map(({ parameter, m }) => ({ name: parameter.name, size: m.size })),
      state,
    );
    const saved = new Map(state.map((moments) => [moments.name, moments]));
    for (const slot of this.slots) {
      const moments = saved.get(slot.parameter.name);
      if (moments === undefined) continue;
      const { shape } = slot.m;
      tf.dispose([slot.m, slot.v]);
      slot.m = tf.keep(tf.tensor(moments.m.slice(), shape));
      slot.v = tf.keep(tf.tensor(moments.v.slice(), shape));
      slot.step = moments.step;
    }
  }

  /** Frees the moments; the parameters belong to their owner. */
  dispose(): void {
    for (const { m, v } of this.slots) tf.dispose([m, v]);
  }

  private unknownGradient(gradients: ReadonlyMap<string, tf.Tensor>): ShapeError {
    const trained = new Set(this.slots.map(({ parameter }) => parameter.name));
    const names = [...gradients.keys()].filter((name) => !trained.has(name)).join(', ');
    return new ShapeError('E_GRADIENT_UNKNOWN', `AdamW got a gradient of ${names}, which it does not train.`);
  }
}

/** @throws CheckpointError E_OPTIMIZER_STATE when a saved state is of other parameters than these */
export function checkStateFits(
  parameters: readonly { readonly name: string; readonly size: number }[],
  state: readonly ParameterMoments[],
): void {
  const saved = new Map(state.map((moments) => [moments.name, moments]));
  const problems: string[] = [];
  for (const { name, size } of parameters) {
    const moments = saved.get(name);
    if (moments === undefined) problems.push(`${name}: not in the saved state`);
    else if (moments.m.length !== size || moments.v.length !== size) {
      problems.push(`${name}: ${moments.m.length} values saved, ${size} expected`);
    }
  }
  const trained = new Set(parameters.map(({ name }) => name));
  for (const name of saved.keys()) if (!trained.has(name)) problems.push(`${name}: not trained here`);
  if (problems.length === 0) return;
  throw new CheckpointError(
    'E_OPTIMIZER_STATE',
    `The saved optimizer state does not fit ${problems.length} parameters:\n  ${problems.slice(0, 8).join('\n  ')}`,
    { hint: 'Resume with the train.parts and model configuration of the checkpoint.', context: { problems } },
  );
}

function currentValue({ parameter, lastSet }: Slot): tf.Tensor {
  const { name, value } = parameter;
  if (!value.isDisposed) return value;
  if (lastSet !== undefined && !lastSet.isDisposed) return lastSet;
  const message = `AdamW: the value of ${name} was replaced by other code since the optimizer last saw it.`;
  throw new ShapeError('E_PARAMETER_STALE', message, { hint: 'Give its value as a getter that follows it.' });
}

export function gradientNotFinite(gradients: ReadonlyMap<string, tf.Tensor>, norm: number): ConfigError {
  const first = [...gradients].find(([, gradient]) => !Number.isFinite(globalNorm([gradient])));
  const name = first?.[0] ?? 'their sum';
  return new ConfigError(
    'E_GRADIENT_NOT_FINITE',
    `The gradient norm is ${norm}; the first bad gradient is of ${name}.`,
    {
      hint: 'Lower train.learningRate or lengthen the warm-up, and resume from the last checkpoint.',
      context: { parameter: name },
    },
  );
}
