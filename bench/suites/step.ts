/** One LoRA training step and one prefill beside PyTorch: same weights, same data, each side in a process of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { interleaved, type Timing } from '../measure.js';
import { peerScript } from '../python.js';
import { type BenchContext, row } from '../report.js';
import { peerConfig, STEP_CASES, type StepCase } from '../step-case.js';
import { STEP_WORKER, Worker } from '../worker.js';

/** A comparison of different computations is worthless: beyond this the run fails. */
const TOLERANCE = 1e-4;
const CHECKED_STEPS = 3;
const PEER_NAME = 'PyTorch eager';
const MIB = 2 ** 20;

const names = (which: string, threads: number) => ({
  train: `LoRA step, ${which}, ${threads} threads`,
  prefill: `prefill, ${which}, ${threads} threads`,
  memory: `LoRA step's peak memory, ${which}, ${threads} threads`,
});

/** Also with one thread, but for the largest. */
function threadCounts(which: StepCase, most: number): number[] {
  return which.name === '1024x8' || most === 1 ? [most] : [most, 1];
}

async function agree(ours: Worker, theirs: Worker, what: string): Promise<number> {
  const [a, b] = [(await ours.ask({ do: what, once: true })).value, (await theirs.ask({ do: what, once: true })).value];
  const difference = Math.abs(a - b) / Math.max(Math.abs(b), 1e-12);
  if (!(difference <= TOLERANCE)) throw new Error(`${what}: ours gives ${a}, PyTorch ${b}: not the same computation`);
  return difference;
}

async function compare(context: BenchContext, which: StepCase, dir: string, python: string, threads: number) {
  const name = names(which.name, threads);
  const [ours, theirs] = [
    await Worker.start(process.execPath, [STEP_WORKER, which.name, dir, String(threads)]),
    await Worker.start(python, [peerScript('step_worker.py'), JSON.stringify(peerConfig(which)), dir, String(threads)]),
  ];
  try {
    const timing: Timing = { repeats: context.quick ? 1 : 5, warmUp: context.quick ? 0 : 1 };
    const time = (what: string) => interleaved([ours.sample(what), theirs.sample(what)], timing);
    if (context.wants(name.prefill)) {
      const difference = await agree(ours, theirs, 'prefill');
      const [a = 0, b = 0] = await time('prefill');
      const note = `mean |logit| differs by ${difference.toExponential(0)}`;
      context.add(row('lower', { name: name.prefill, ours: a, peer: b, peerName: PEER_NAME, unit: 'ms', note }));
    }
    if (!context.wants(name.train) && !context.wants(name.memory)) return;
    // The later losses follow from the earlier steps' gradients and updates.
    let difference = 0;
    for (let step = 0; step < CHECKED_STEPS; step++)
      difference = Math.max(difference, await agree(ours, theirs, 'train'));
    const [a = 0, b = 0] = await time('train');
    const note = `losses of ${CHECKED_STEPS} steps agree to ${difference.toExponential(0)}`;
    context.add(row('lower', { name: name.train, ours: a, peer: b, peerName: PEER_NAME, unit: 'ms', note }));
    const [mine, peer] = [await ours.ask({ do: 'memory' }), await theirs.ask({ do: 'memory' })];
    const above = ({ peakBytes, startBytes }: typeof mine) => (peakBytes - startBytes) / MIB;
    const memory = { ours: above(mine), peer: above(peer), peerName: PEER_NAME, unit: 'MiB' };
    const memoryNote = 'peak resident memory above that of the started process, weights included';
    context.add(row('lower', { name: name.memory, ...memory, note: memoryNote }));
  } finally {
    await Promise.all([ours.stop(), theirs.stop()]);
  }
}

export async function stepRows(context: BenchContext): Promise<void> {
  if (context.python === undefined) return;
  for (const which of STEP_CASES) {
    const counts = threadCounts(which, context.threads).filter((threads) =>
      Object.values(names(which.name, threads)).some(context.wants),
    );
    if (counts.length === 0) continue;
    const dir = await mkdtemp(join(tmpdir(), 'bench-step-'));
    try {
      const writer = await Worker.start(process.execPath, [STEP_WORKER, which.name, dir, '1', 'native', 'write']);
      await writer.stop();
      for (const threads of counts) await compare(context, which, dir, context.python, threads);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }
}
