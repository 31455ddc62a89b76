/**
 * Where a training step's time goes, ours by device call and PyTorch's by operator.
 *
 *     node .cache/bench/bench/profile-step.js [case] [threads] [train | prefill]
 *
 * Ours: every call of the device is timed; what is left of the step is JavaScript (the tape, TF.js, the backend).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { Device, GemmProblem } from '../src/backend/device.js';
import { gemmFlops } from '../src/backend/device.js';
import { NativeBackend } from '../src/backend/native-backend.js';
import { useBackend } from '../src/backend/select.js';
import { ModelSequence } from '../src/infer/model-sequence.js';
import { findPython, runPython } from './python.js';
import { batchOf, loadCase, peerConfig, stepCase, writeCase } from './step-case.js';
import { trainerOf } from './step-trainer.js';

const WARM_UP = 2;
const MIN_STEPS = 3;
const BUDGET_MS = 8000;

interface Entry {
  ms: number;
  calls: number;
  flops: number;
}

const table = new Map<string, Entry>();

function record(name: string, ms: number, flops = 0): void {
  const entry = table.get(name) ?? { ms: 0, calls: 0, flops: 0 };
  table.set(name, { ms: entry.ms + ms, calls: entry.calls + 1, flops: entry.flops + flops });
}

function timed<T>(name: string, flops: number, run: () => T): T {
  const started = performance.now();
  try {
    return run();
  } finally {
    record(name, performance.now() - started, flops);
  }
}

function gemmName(p: GemmProblem): string {
  const [a, b] = [p.transposeA ? 'T' : 'N', p.transposeB ? 'T' : 'N'];
  return `gemm ${a}${b} ${p.batch > 1 ? `${p.batch} x ` : ''}m${p.m} n${p.n} k${p.k}`;
}

/** Times every call that does work. */
function instrument(device: Device): void {
  const { gemm, attention, attentionGrad, launch, alloc, free, read, write } = device;
  device.gemm = (p) => timed(gemmName(p), gemmFlops(p), () => gemm.call(device, p));
  device.attention = (p) => timed('attention', 0, () => attention.call(device, p));
  device.attentionGrad = (p) => timed('attention gradient', 0, () => attentionGrad.call(device, p));
  device.launch = (name, ...parameters) => timed(name, 0, () => launch.call(device, name, ...parameters));
  device.alloc = (bytes) => timed('alloc', 0, () => alloc.call(device, bytes));
  device.free = (address, bytes) => timed('free', 0, () => free.call(device, address, bytes));
  device.read = (address, into) => timed('read', 0, () => read.call(device, address, into));
  device.write = (address, values) => timed('write', 0, () => write.call(device, address, values));
}

function print(title: string, stepMs: number, steps: number): void {
  const rows = [...table].map(([name, { ms, calls, flops }]) => ({
    name,
    ms: ms / steps,
    calls: calls / steps,
    flops,
  }));
  const device = rows.reduce((sum, { ms }) => sum + ms, 0);
  const gemm = rows.filter(({ name }) => name.startsWith('gemm'));
  const sumOf = (some: typeof rows) => some.reduce((sum, { ms }) => sum + ms, 0);
  const gigaflops = gemm.reduce((sum, { flops }) => sum + flops, 0) / steps / sumOf(gemm) / 1e6;
  console.log(`\n${title}: ${stepMs.toFixed(1)} ms a step (mean of ${steps})`);
  console.log(`  gemm in all ${sumOf(gemm).toFixed(1)} ms (${gigaflops.toFixed(0)} GFLOP/s), other device calls`);
  console.log(`  ${(device - sumOf(gemm)).toFixed(1)} ms, JavaScript ${(stepMs - device).toFixed(1)} ms`);
  for (const { name, ms, calls, flops } of rows.sort((a, b) => b.ms - a.ms).slice(0, 40)) {
    const speed = flops > 0 ? `${(flops / steps / ms / 1e6).toFixed(0).padStart(6)} GFLOP/s` : '';
    const share = `${((100 * ms) / stepMs).toFixed(1).padStart(5)} %`;
    console.log(
      `  ${ms.toFixed(2).padStart(9)} ms ${share} ${calls.toFixed(0).padStart(5)} x  ${name.padEnd(34)}${speed}`,
    );
  }
}

const [name = 'demo', threads = '2', kind = 'train'] = process.argv.slice(2);
const which = stepCase(name);
await useBackend({ backend: 'native', threads: Number(threads) });
const dir = await mkdtemp(join(tmpdir(), 'bench-profile-'));
try {
  await writeCase(which, dir);
  const model = await loadCase(which, dir);
  const batch = batchOf(which);
  const { trainer } = trainerOf(model, false);
  const run = async (step: number) => {
    if (kind === 'train') return trainer.step(step, [batch], 1e-4).loss;
    const sequence = new ModelSequence(model, which.length);
    const [first] = await sequence.append([...batch.ids.subarray(0, which.length)]);
    sequence.dispose();
    return first ?? Number.NaN;
  };
  for (let step = 0; step < WARM_UP; step++)
    console.log(`warm-up: ${kind === 'train' ? 'loss' : 'first logit'} ${await run(step)}`);
  const plain: number[] = [];
  const measure = async () => {
    const started = performance.now();
    let steps = 0;
    while (steps < MIN_STEPS || performance.now() - started < BUDGET_MS / 2) await run(WARM_UP + steps++);
    plain.push((performance.now() - started) / steps);
    return steps;
  };
  await measure();
  const backend = tf.backend();
  if (!(backend instanceof NativeBackend)) throw new TypeError('the current backend is not native');
  instrument(backend.device);
  const steps = await measure();
  print(`${name}, ${kind}, ours, ${threads} threads (${plain[0]?.toFixed(1)} ms without timers)`, plain[1] ?? 0, steps);
  const python = await findPython();
  if ('reason' in python) console.log(`PyTorch: ${python.reason}`);
  else await runPython(python.path, 'profile_step.py', [JSON.stringify(peerConfig(which)), dir, threads, kind]);
} finally {
  await rm(dir, { recursive: true, force: true });
}
