/**
 * A thread that decodes videos, one at a time, each with an ffmpeg process of its own.
 *
 * A thread, because the trainer's own computes for seconds without a turn of its event loop: pipes would stand still.
 */
import { setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { openVideo } from '../../data/video/open-video.js';
import { type DecodeResult, type DecodeTask, movable, plainError, SHARED, type WorkerSettings } from './decode-task.js';

/** How long a worker that holds back sleeps before it looks for tasks again. */
const NAP_MS = 50;

const { sampling, tiles, shared, budgetKiB } = workerData as WorkerSettings;
const counters = new Int32Array(shared);
const tasks: DecodeTask[] = [];
let isWorking = false;

parentPort?.on('message', (task: DecodeTask) => {
  tasks.push(task);
  if (!isWorking) void work();
});

async function work(): Promise<void> {
  isWorking = true;
  for (let task = tasks[0]; task !== undefined; task = tasks[0]) {
    const signal = Atomics.load(counters, SHARED.signal);
    if (!mayDecode()) {
      Atomics.wait(counters, SHARED.signal, signal, NAP_MS);
      await setImmediate();
      continue;
    }
    tasks.shift();
    // Tasks come to all workers in one order, so the one that is next is claimed by exactly one of them.
    const isMine = Atomics.compareExchange(counters, SHARED.next, task.number, task.number + 1) === task.number;
    if (isMine) await decode(task);
  }
  isWorking = false;
}

function mayDecode(): boolean {
  return Atomics.load(counters, SHARED.heldKiB) < budgetKiB || Atomics.load(counters, SHARED.awaited) > 0;
}

async function decode({ number, input }: DecodeTask): Promise<void> {
  try {
    const { kind = 'video', spatial, temporal } = await openVideo(input, sampling, { tiles, warm: true });
    const frames = { kind, spatial, temporal };
    const kib = Math.ceil((spatial.data.length + temporal.data.length) / 1024);
    Atomics.add(counters, SHARED.heldKiB, kib);
    const result: DecodeResult = { number, outcome: { frames, kib } };
    parentPort?.postMessage(result, movable(frames));
  } catch (error) {
    const result: DecodeResult = { number, outcome: { error: plainError(error) } };
    parentPort?.postMessage(result);
  }
}
