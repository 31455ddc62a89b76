/**
 * Our side of a comparison, in a process of its own: reads commands as JSON lines, answers each with one.
 *
 *     node step-worker.js <case> <weights folder> <threads> [backend] [write]
 *
 * Commands: {"do": "train" | "prefill", "once"?: true}: {ms, value}; {"do": "memory"}: {startBytes, peakBytes}. With `write` it
 * writes the case's weights and batch to the folder and ends.
 */
import { createInterface } from 'node:readline';
import { type BackendName, useBackend } from '../src/backend/select.js';
import { ModelSequence } from '../src/infer/model-sequence.js';
import type { MimicChatModel } from '../src/model/mimic-chat.js';
import type { Batch } from '../src/train/batch.js';
import { demoStep } from './demo-step.js';
import { currentRssBytes, peakRssBytes, resetPeakRss } from './process-memory.js';
import { batchOf, loadCase, stepCase, writeCase } from './step-case.js';
import { trainerOf } from './step-trainer.js';

const LEARNING_RATE = 1e-4;
const AT_LEAST_MS = 200;

function reply(answer: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

/** Repeats short work, as the peer does: a single run after a pause would time cold caches and sleeping threads. */
async function timed(command: () => number | Promise<number>): Promise<{ ms: number; value: number }> {
  const started = performance.now();
  for (let runs = 1; ; runs++) {
    const value = await command();
    const ms = performance.now() - started;
    if (ms >= AT_LEAST_MS) return { ms: ms / runs, value };
  }
}

async function prefill(model: MimicChatModel, { ids, length }: Batch): Promise<number> {
  const sequence = new ModelSequence(model, length);
  const logits_V = await sequence.append([...ids.subarray(0, length)]);
  sequence.dispose();
  return logits_V.reduce((sum, logit) => sum + Math.abs(logit), 0) / logits_V.length;
}

async function prepare(name: string, dir: string): Promise<{ model: MimicChatModel; batch: Batch }> {
  if (name === 'demo-video') return demoStep();
  const which = stepCase(name);
  return { model: await loadCase(which, dir), batch: batchOf(which) };
}

async function serve(name: string, dir: string, device: string): Promise<void> {
  const startBytes = currentRssBytes();
  const { model, batch } = await prepare(name, dir);
  const { trainer } = trainerOf(model, false);
  let step = 0;
  const commands: Record<string, () => number | Promise<number>> = {
    train: () => trainer.step(step++, [batch], LEARNING_RATE).loss,
    prefill: () => prefill(model, batch),
  };
  resetPeakRss();
  reply({ ready: device });
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: what, once } = JSON.parse(line) as { do: string; once?: boolean };
    const command = commands[what];
    if (command === undefined) {
      reply({ startBytes, peakBytes: peakRssBytes() });
      continue;
    }
    reply(once === true ? { value: await command() } : await timed(command));
  }
}

const [name = '', dir = '', threads = '2', backend = 'native', mode = ''] = process.argv.slice(2);
const { reason } = await useBackend({ backend: backend as BackendName, threads: Number(threads) });
if (mode === 'write') {
  await writeCase(stepCase(name), dir);
  reply({ ready: reason });
} else {
  await serve(name, dir, reason);
  // A backend's worker threads would keep the process alive.
  process.exit(0);
}
