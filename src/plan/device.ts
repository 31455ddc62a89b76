/** Where the planned work would run: its memory, its speed, and whether the work fits. */
import { availableParallelism, totalmem } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { type Precision, parseDevice } from '../backend/device-option.js';
import { useBackend } from '../backend/select.js';
import { nullDevice } from './memory-meter.js';
import type { MemoryPlan, Plan } from './plan.js';

export interface DevicePlan {
  readonly device?: string | undefined;
  /** Default: bf16 for a GPU, fp32 for the processor. */
  readonly precision?: Precision | undefined;
  /** Measures how fast the device multiplies matrices, and estimates times by it. */
  readonly probe?: boolean | undefined;
  readonly threads?: number | undefined;
}

type Unfinished = Omit<Plan, 'precision' | 'device' | 'fits' | 'memory'> & {
  readonly memory: Omit<MemoryPlan, 'totalBytes' | 'availableBytes'>;
};

/** Runs `work` on the null backend in the wanted precision; `finish` adds what depends on the device. */
export async function onDevice(
  { device, precision }: DevicePlan,
  work: (finish: (plan: Unfinished) => Plan) => Promise<Plan>,
): Promise<Plan> {
  // A plan for "auto" is one for the processor: whoever plans for a GPU may have none yet.
  const isGpu = parseDevice(device).kind === 'cuda';
  const chosen = precision ?? (isGpu ? 'bf16' : 'fp32');
  await useBackend({ backend: 'null', precision: chosen });
  // What an earlier plan left for reuse would be counted again.
  nullDevice().trim();
  nullDevice().mapsFiles = !isGpu;
  return work((plan) => {
    const { deviceBytes, processBytes, featureCacheBytes = 0 } = plan.memory;
    const totalBytes = deviceBytes + featureCacheBytes + (isGpu ? 0 : processBytes);
    const memory = { ...plan.memory, totalBytes, ...(isGpu ? {} : { availableBytes: totalmem() }) };
    const fits = plan.tokens.total <= plan.tokens.limit && totalBytes <= (memory.availableBytes ?? totalBytes);
    return { ...plan, precision: chosen, device: isGpu ? 'cuda' : 'cpu', memory, fits };
  });
}

/** Rows, columns and depth of the product that stands for a model's. */
const PROBE_SIZE = 2048;
const PROBE_REPEATS = 5;

/** Adds seconds, at the best speed of a few large products on the device itself. */
export async function withSpeed(plan: Plan, { probe, device, threads }: DevicePlan): Promise<Plan> {
  if (probe !== true) return plan;
  await useBackend({
    backend: 'native',
    device: device ?? 'cpu',
    precision: plan.precision,
    threads: threads ?? availableParallelism(),
  });
  const flopsPerSec = await productSpeed();
  const phases = plan.phases.map((phase) => ({ ...phase, seconds: phase.flops / flopsPerSec }));
  if (plan.training === undefined) return { ...plan, flopsPerSec, phases };
  const perStep = phases.filter(({ name }) => name === 'step').reduce((sum, { seconds }) => sum + seconds, 0);
  return { ...plan, flopsPerSec, phases, training: { ...plan.training, secondsPerStep: perStep } };
}

async function productSpeed(): Promise<number> {
  const { stored, workStorage } = await import('../ops/index.js');
  const size = PROBE_SIZE;
  const make = () => tf.tidy(() => stored(tf.fill([size, size], 0.5) as tf.Tensor2D, workStorage()) as tf.Tensor2D);
  const [a, b] = [make(), make()];
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < PROBE_REPEATS; i++) {
    const started = performance.now();
    const product = tf.matMul(a, b, false, true);
    // Reading one number waits for the device without copying the rest.
    await tf.tidy(() => tf.slice(product, [0, 0], [1, 1])).data();
    product.dispose();
    best = Math.min(best, performance.now() - started);
  }
  tf.dispose([a, b]);
  return (2 * size ** 3) / (best / 1000);
}
