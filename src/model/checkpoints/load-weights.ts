/** Carries out a plan: values stream from the file into the parameters, each in the storage it will be used in. */
import * as tf from '@tensorflow/tfjs-core';
import { CheckpointError } from '../../base/errors.js';
import { log } from '../../base/logger.js';
import { Progress } from '../../base/progress.js';
import { stored } from '../../ops/index.js';
import type { Parameter } from '../parameters.js';
import { openWeights } from '../weights/open-weights.js';
import type { RowRange, WeightSource } from '../weights/source.js';
import { uploadRows } from '../weights/upload.js';
import { OWN } from './detect-layout.js';
import { loadError } from './load-problems.js';
import { type LoadPlan, type LoadTarget, type Merge, planLoad } from './plan-load.js';

export interface LoadOptions {
  /** In front of the progress: what is loaded. */
  readonly label: string;
  /** alpha / rank of the file's adapters that are merged; InternVL's training always has 2. */
  readonly loraScale?: number;
  /** The folder is one of ours: its names need no guess. */
  readonly isOwn?: boolean;
  /** Nothing but TimeSformer's weights are expected. */
  readonly isTemporal?: boolean;
  /** Loads these parameters alone; all are checked. */
  readonly only?: (parameter: Parameter) => boolean;
}

/** Smaller files load before a progress line could be read. */
const PROGRESS_FROM_BYTES = 2 ** 28;
const MIB = 2 ** 20;
const INTERNVL_LORA_SCALE = 2;

/**
 * Loads what a folder or file holds of the model. Say what is trained before (`parameters.train`): that decides storage.
 *
 * @returns the plan that was carried out; parameters of its absent parts keep what they had
 * @throws CheckpointError E_WEIGHTS_MISMATCH with every tensor that does not fit; nothing was loaded then
 */
export async function loadWeightsFrom(path: string, target: LoadTarget, options: LoadOptions): Promise<LoadPlan> {
  const source = await openWeights(path);
  try {
    const plan = planLoad(target, source, options.isOwn === true && options.isTemporal !== true ? OWN : undefined);
    if (options.isTemporal === true && !plan.layout.id.startsWith('timesformer')) throw noTimesformer(path, plan);
    report(path, plan, options.label);
    await loadPlanned(target, source, plan, options);
    return plan;
  } finally {
    await source.close();
  }
}

/** @throws CheckpointError E_WEIGHTS_MISMATCH when the plan has problems */
export async function loadPlanned(
  { parameters }: LoadTarget,
  source: WeightSource,
  plan: LoadPlan,
  { label, loraScale = INTERNVL_LORA_SCALE, only = () => true }: LoadOptions,
): Promise<void> {
  const error = loadError(source.path, plan.reason, plan.problems);
  if (error !== undefined) throw error;
  const names = new Set([...plan.rows.keys(), ...plan.merges.keys()]);
  const wanted = inFileOrder(
    parameters.list().filter((parameter) => names.has(parameter.name) && only(parameter)),
    source,
    plan,
  );
  const bytes = wanted.reduce((sum, { name }) => sum + rowBytes(source, plan.rows.get(name) ?? []), 0);
  const progress =
    bytes < PROGRESS_FROM_BYTES || tf.getBackend() === 'null'
      ? undefined
      : new Progress(label, { total: Math.ceil(bytes / MIB) });
  const started = performance.now();
  let done = 0;
  try {
    for (const parameter of wanted) {
      const rows = plan.rows.get(parameter.name);
      const merge = plan.merges.get(parameter.name);
      if (merge !== undefined) parameter.value = await merged(parameter, source, rows, merge, loraScale);
      else if (rows !== undefined) parameter.value = await loaded(parameter, source, rows);
      done += rowBytes(source, rows ?? []);
      const perSec = done / MIB / ((performance.now() - started) / 1000);
      progress?.update(Math.ceil(done / MIB), `MiB  ${perSec.toFixed(0)} MiB/s`);
    }
  } finally {
    progress?.end();
  }
}

/**
 * Frozen weights may stay in their file. A table of looked-up rows keeps the file's bf16 in every precision: widening its
 * rows on the way out gives the same numbers.
 */
function loaded(parameter: Parameter, source: WeightSource, rows: readonly RowRange[]): Promise<tf.Tensor> {
  const { shape, storage, trainable, use } = parameter;
  if (trainable) return uploadRows(source, rows, shape, storage);
  const isBf16 = rows.every(({ tensor }) => source.tensors.get(tensor)?.dtype === 'BF16');
  return uploadRows(source, rows, shape, use === 'rows' && isBf16 ? 'bf16' : storage, use);
}

/** A disk that is read from front to back reads ahead. */
function inFileOrder(parameters: readonly Parameter[], { tensors }: WeightSource, plan: LoadPlan): Parameter[] {
  const positions = new Map(Array.from(tensors.keys(), (name, position) => [name, position]));
  const position = ({ name }: Parameter) => positions.get(plan.rows.get(name)?.[0]?.tensor ?? '') ?? 0;
  return [...parameters].sort((a, b) => position(a) - position(b));
}

/** W + scale B A in float32, rounded once to the parameter's storage. */
async function merged(
  parameter: Parameter,
  source: WeightSource,
  rows: readonly RowRange[] | undefined,
  { a, b }: Merge,
  scale: number,
): Promise<tf.Tensor> {
  const whole = (tensor: string): [RowRange[], number[]] => {
    const shape = [...(source.tensors.get(tensor)?.shape ?? [])];
    return [[{ tensor, start: 0, count: shape[0] ?? 0 }], shape];
  };
  const weight =
    rows === undefined ? stored(parameter.value, 'f32') : await uploadRows(source, rows, parameter.shape, 'f32');
  const a_RI = await uploadRows(source, ...whole(a), 'f32');
  const b_OR = await uploadRows(source, ...whole(b), 'f32');
  const sum = tf.tidy(() => tf.add(weight, tf.mul(tf.matMul(b_OR as tf.Tensor2D, a_RI as tf.Tensor2D), scale)));
  tf.dispose([weight, a_RI, b_OR]);
  return sum;
}

function noTimesformer(path: string, { reason }: LoadPlan): CheckpointError {
  return new CheckpointError('E_TEMPORAL_BASE', `${path}: got ${reason}, expected the weights of a TimeSformer.`, {
    hint: 'temporalBase takes a TimeSformer folder or file; everything else comes from base.',
  });
}

function rowBytes(source: WeightSource, rows: readonly RowRange[]): number {
  return rows.reduce((sum, { tensor, count }) => {
    const { byteLength = 0, shape = [] } = source.tensors.get(tensor) ?? {};
    return sum + (byteLength / Math.max(1, shape[0] ?? 1)) * count;
  }, 0);
}

function report(path: string, plan: LoadPlan, label: string): void {
  // Our own folders are known to whoever made them.
  const say = (line: string) => (plan.layout.id === 'own' ? log.debug(line) : log.info(line));
  const wrapped = plan.wrapping === 'none' ? '' : `, ${plan.wrapping}`;
  say(`${label}: ${path} read as ${plan.reason}${wrapped}`);
  const byReason = new Map<string, string[]>();
  for (const { name, reason } of plan.ignored) byReason.set(reason, [...(byReason.get(reason) ?? []), name]);
  for (const [reason, names] of byReason) {
    const more = names.length > 2 ? ` and ${names.length - 2} more` : '';
    say(`${label}: left out ${names.slice(0, 2).join(', ')}${more}: ${reason}`);
  }
  if (plan.merges.size > 0) say(`${label}: ${plan.merges.size} adapters merged into the weights they stand beside`);
}
