/**
 * Our side of the comparison of whole training, in a process of its own: reads commands as JSON lines, answers each with one.
 *
 *     node worker.js <case> <folder> <threads> [write]
 *
 * {"do": "train"}: a whole run through `tune`, every visit decoding and encoding its video. {"do": "cached"}: the same with
 * the features of an earlier run on disk. Both: {ms, losses, tokens, clips, waitShare}; the time is that from the first
 * step's beginning to the last one's end. With `write` it writes the folder for both sides and ends.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { useBackend } from '../../src/backend/select.js';
import type { RunConfig } from '../../src/train/config.js';
import type { FrameSource } from '../../src/train/features/feature-source.js';
import { decodingOptions, startDecoding } from '../../src/train/loader/decode-workers.js';
import { tune } from '../../src/train/tune.js';
import { trainingCase, trainingConfig, writeCorpus } from './case.js';
import { writePlan } from './write-plan.js';

const [name = '', dir = '', threads = '2', mode = ''] = process.argv.slice(2);

function reply(answer: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

async function train(config: RunConfig, frames: FrameSource) {
  const sums = { tokens: 0, clips: 0, waitSec: 0 };
  const losses: number[] = [];
  let [started, ended] = [0, 0];
  // A run folder in use would be refused.
  await rm(config.out, { recursive: true, force: true });
  await tune({
    config,
    resume: false,
    frames,
    onStart: () => {
      started = performance.now();
    },
    onStep: ({ loss, tokens, clips, dataWaitSec }) => {
      ended = performance.now();
      losses.push(loss);
      sums.tokens += tokens;
      sums.clips += clips;
      sums.waitSec += dataWaitSec;
    },
  });
  await rm(config.out, { recursive: true, force: true });
  const ms = ended - started;
  return { ms, losses, tokens: sums.tokens, clips: sums.clips, waitShare: (1000 * sums.waitSec) / ms };
}

async function serve(config: RunConfig, ready: string): Promise<void> {
  const featureCache = { dir: join(dir, 'features'), maxGiB: 10 };
  const cached = { ...config, train: { ...config.train, featureCache } };
  // Once, as `mimic train` does it.
  const { frames } = startDecoding(decodingOptions(config));
  const runs = { train: () => train(config, frames), cached: () => train(cached, frames) };
  reply({ ready });
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: what } = JSON.parse(line) as { do: keyof typeof runs };
    reply(await runs[what]());
  }
}

const { reason } = await useBackend({ backend: 'native', device: 'cpu', threads: Number(threads) });
const which = trainingCase(name);
if (mode === 'write') await writeCorpus(which, dir);
const config = await trainingConfig(which, dir, Number(threads));
if (mode === 'write') {
  await writePlan(config, dir);
  reply({ ready: reason });
} else {
  await serve(config, reason);
}
