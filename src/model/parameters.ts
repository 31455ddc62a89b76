/**
 * Named parameters, declared without memory and given values later: from a seed, a checkpoint, or (dry run) nothing.
 *
 * Names equal those of the published checkpoints, so loading is a lookup.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { FloatStorage, MappedUse } from '../backend/device.js';
import { CheckpointError, ConfigError, ShapeError } from '../base/errors.js';
import type { Rng } from '../base/rng.js';
import { stored, workStorage } from '../ops/index.js';

/** The parts a start-up table counts. */
export const PARTS = [
  'spatial encoder',
  'temporal encoder',
  'spatial projector',
  'temporal projector',
  'gated fusion',
  'positions',
  'special tokens',
  'language model',
  'lora',
] as const;
export type Part = (typeof PARTS)[number];

export type Init =
  | { readonly kind: 'normal'; readonly std: number }
  | { readonly kind: 'uniform'; readonly bound: number }
  | { readonly kind: 'constant'; readonly value: number };

export const zeros: Init = { kind: 'constant', value: 0 };
export const ones: Init = { kind: 'constant', value: 1 };
export const normal = (std: number): Init => ({ kind: 'normal', std });
export const uniform = (bound: number): Init => ({ kind: 'uniform', bound });

export class Parameter {
  private trained = false;
  private tensor: tf.Tensor | undefined;

  constructor(
    readonly name: string,
    readonly shape: readonly number[],
    readonly part: Part,
    readonly init: Init,
    /** A table of which only rows are looked up need not be in memory as a whole. */
    readonly use: MappedUse = 'whole',
  ) {}

  get size(): number {
    return this.shape.reduce((product, n) => product * n, 1);
  }

  get hasValue(): boolean {
    return this.tensor !== undefined;
  }

  get value(): tf.Tensor {
    if (this.tensor === undefined) {
      throw new CheckpointError('E_PARAMETER_EMPTY', `Parameter ${this.name} was used before it got a value.`, {
        hint: 'Call parameters.initialize(rng) or load a checkpoint first.',
      });
    }
    return this.tensor;
  }

  get trainable(): boolean {
    return this.trained;
  }

  /** Best set before the value: in bf16 precision a frozen matrix is rounded, and cannot be unrounded. */
  set trainable(trainable: boolean) {
    if (trainable === this.trained) return;
    this.trained = trainable;
    // A table may have kept its file's bf16.
    if (this.tensor !== undefined) this.value = stored(this.tensor, this.storage);
  }

  /**
   * Takes ownership of `tensor` and disposes the value it replaces.
   *
   * Trained parameters are f32 (the master weights), and so are vectors, which are small; a frozen matrix is in the
   * backend's storage for work, or that of its file where no conversion is needed to use it.
   */
  set value(tensor: tf.Tensor) {
    if (tensor.shape.join() !== this.shape.join()) {
      const got = `[${tensor.shape}]`;
      throw new ShapeError('E_PARAMETER_SHAPE', `Parameter ${this.name}: got shape ${got}, expected [${this.shape}].`);
    }
    this.tensor?.dispose();
    this.tensor = tf.keep(workStorage() === 'f32' ? tensor : this.settled(tensor));
  }

  /** What a value is kept as: one that is made so costs no conversion. */
  get storage(): FloatStorage {
    return this.trained || this.shape.length < 2 ? 'f32' : workStorage();
  }

  dispose(): void {
    this.tensor?.dispose();
    this.tensor = undefined;
  }

  private settled(tensor: tf.Tensor): tf.Tensor {
    const settled = stored(tensor, this.storage);
    tensor.dispose();
    return settled;
  }
}

export class ParameterStore {
  private readonly byName = new Map<string, Parameter>();

  declare(name: string, shape: readonly number[], part: Part, init: Init, use?: MappedUse): Parameter {
    if (this.byName.has(name)) throw new ConfigError('E_PARAMETER_TWICE', `Parameter ${name} was declared twice.`);
    const parameter = new Parameter(name, shape, part, init, use);
    this.byName.set(name, parameter);
    return parameter;
  }

  list(): Parameter[] {
    return [...this.byName.values()];
  }

  get(name: string): Parameter | undefined {
    return this.byName.get(name);
  }

  trainable(): Parameter[] {
    return this.list().filter((parameter) => parameter.trainable);
  }

  /** Marks exactly the parameters of these parts as trained. @throws ConfigError when a part owns no parameter. */
  train(parts: readonly Part[]): void {
    for (const part of parts) {
      if (!this.list().some((parameter) => parameter.part === part)) {
        throw new ConfigError('E_TRAIN_PART_EMPTY', `train.parts names "${part}", which owns no parameter here.`, {
          hint: `Remove it, or switch the part on (lora.rank > 0, ablate: none, fusion.type: gated).`,
        });
      }
    }
    for (const parameter of this.list()) parameter.trainable = parts.includes(parameter.part);
  }

  /**
   * Gives every parameter without a value its initial one; each name has its own random stream.
   *
   * @param isWanted leaves others as they are
   */
  initialize(rng: Rng, isWanted: (parameter: Parameter) => boolean = () => true): void {
    for (const parameter of this.list()) {
      if (!parameter.hasValue && isWanted(parameter)) parameter.value = initialTensor(parameter, rng);
    }
  }

  /** Parameter counts by part, in the order of {@link PARTS}; parts without parameters are left out. */
  countByPart(): { part: Part; total: number; trainable: number }[] {
    return PARTS.map((part) => {
      const own = this.list().filter((parameter) => parameter.part === part);
      const sum = (some: Parameter[]) => some.reduce((total, parameter) => total + parameter.size, 0);
      return { part, total: sum(own), trainable: sum(own.filter((parameter) => parameter.trainable)) };
    }).filter((row) => row.total > 0);
  }

  dispose(): void {
    for (const parameter of this.list()) parameter.dispose();
  }
}

/** A prefix and a part: what a layer's constructor declares its parameters in. */
export class Scope {
  constructor(
    readonly store: ParameterStore,
    readonly prefix: string,
    readonly part: Part,
  ) {}

  child(name: string | number, part: Part = this.part): Scope {
    return new Scope(this.store, this.prefix === '' ? String(name) : `${this.prefix}.${name}`, part);
  }

  parameter(name: string, shape: readonly number[], init: Init, use?: MappedUse): Parameter {
    return this.store.declare(this.child(name).prefix, shape, this.part, init, use);
  }
}

function initialTensor(parameter: Parameter, rng: Rng): tf.Tensor {
  const { init, shape, size } = parameter;
  // A dry run has no memory behind its tensors: any value would do, and 8 B random numbers would take minutes.
  if (tf.getBackend() === 'null') return tf.fill([...shape], 0);
  if (init.kind === 'constant') return tf.fill([...shape], init.value);
  const stream = rng.fork(parameter.name);
  const draw =
    init.kind === 'normal' ? () => stream.normal() * init.std : () => (2 * stream.uniform() - 1) * init.bound;
  return tf.tensor(Float32Array.from({ length: size }, draw), [...shape], 'float32');
}
