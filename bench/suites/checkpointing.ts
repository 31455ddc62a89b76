/** Gradient checkpointing: peak memory against depth, and what it costs in time. */
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { Device } from '../../src/backend/device.js';
import { NativeBackend } from '../../src/backend/native-backend.js';
import { useBackend } from '../../src/backend/select.js';
import { writeFileAtomic } from '../../src/base/atomic-file.js';
import { packageRoot } from '../../src/base/package-root.js';
import { Rng } from '../../src/base/rng.js';
import { MimicChatModel } from '../../src/model/mimic-chat.js';
import { interleaved } from '../measure.js';
import { memoryCurves } from '../plot.js';
import { type BenchContext, row } from '../report.js';
import { batchOf, languageOf, modelConfig, type StepCase } from '../step-case.js';
import { trainerOf } from '../step-trainer.js';

const DEPTHS = [2, 4, 8, 16];
const HIDDEN_SIZE = 256;
const LENGTH = 512;
const MIB = 2 ** 20;
const PEER_NAME = 'without checkpointing';

const memoryName = (depth: number) => `checkpointing: peak memory above the weights, depth ${depth}`;
const timeName = (depth: number) => `checkpointing: LoRA step, depth ${depth}`;

function caseOf(depth: number): StepCase {
  const language = { ...languageOf(HIDDEN_SIZE, depth), vocabSize: 1024 };
  const lora = { tokensPerLabel: 4, loraRank: 16, loraAlpha: 32 };
  return { name: `depth ${depth}`, language, batch: 1, length: LENGTH, ...lora };
}

/** Most bytes in use during `run`, above those in use before it. */
function peakBytes(device: Device, run: () => void): number {
  const before = device.stats().liveBytes;
  let peak = before;
  const { alloc } = device;
  device.alloc = (bytes) => {
    const address = alloc.call(device, bytes);
    peak = Math.max(peak, device.stats().liveBytes);
    return address;
  };
  try {
    run();
  } finally {
    device.alloc = alloc;
  }
  return peak - before;
}

interface Point {
  readonly depth: number;
  readonly withMiB: number;
  readonly withoutMiB: number;
}

async function measureDepth(context: BenchContext, device: Device, depth: number): Promise<Point> {
  const which = caseOf(depth);
  const model = new MimicChatModel(modelConfig(which));
  model.parameters.initialize(new Rng(1, 'bench/weights'));
  model.parameters.train(['lora']);
  const batch = batchOf(which);
  const trainers = [true, false].map((checkpointing) => trainerOf(model, checkpointing));
  let step = 0;
  const runs = trainers.map(
    ({ trainer }) =>
      () =>
        trainer.step(step++, [batch], 1e-4),
  );
  for (const run of runs) run();
  const [withMiB = 0, withoutMiB = 0] = runs.map((run) => peakBytes(device, run) / MIB);
  if (context.wants(timeName(depth))) {
    const samples = runs.map((run) => () => {
      const started = performance.now();
      run();
      return performance.now() - started;
    });
    const [ours = 0, peer = 0] = await interleaved(samples, { repeats: context.quick ? 1 : 5, warmUp: 0 });
    context.add(row('lower', { name: timeName(depth), ours, peer, peerName: PEER_NAME, unit: 'ms' }));
  }
  for (const { optimizer } of trainers) optimizer.dispose();
  model.dispose();
  return { depth, withMiB, withoutMiB };
}

export async function checkpointingRows(context: BenchContext): Promise<void> {
  const depths = DEPTHS.filter((depth) => context.wants(memoryName(depth)) || context.wants(timeName(depth)));
  if (depths.length === 0) return;
  await useBackend({ backend: 'native', threads: context.threads });
  const backend = tf.backend();
  if (!(backend instanceof NativeBackend)) throw new TypeError('the current backend is not native');
  const points: Point[] = [];
  for (const depth of depths) {
    const point = await measureDepth(context, backend.device, depth);
    points.push(point);
    const memory = { ours: point.withMiB, peer: point.withoutMiB, peerName: PEER_NAME, unit: 'MiB' };
    const note = `hidden ${HIDDEN_SIZE}, ${LENGTH} tokens`;
    context.add(row('lower', { name: memoryName(depth), ...memory, note }));
  }
  if (points.length < DEPTHS.length || context.quick) return;
  await writeFileAtomic(join(packageRoot(), 'bench', 'results', 'checkpointing.svg'), memoryCurves(points));
}
