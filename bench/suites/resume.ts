/**
 * The start of a run's data on a large corpus, from the records file to the first step's samples, and the drawing of single
 * questions: beside what is promised of them.
 */
import { execFileSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { median } from '../measure.js';
import { type BenchContext, row } from '../report.js';
import type { StartFigures } from '../resume-worker.js';
import { FUNCTION_WORDS, webRecord } from '../web-records.js';

const RECORDS = 150_000;
const QUICK_RECORDS = 10_000;
const STEP = 1_000_000;
const PROMISED_S = 2;
const PROMISED_DRAW_MS = 1;
/** Of each task, after half as many untimed ones. */
const DRAWS = 2000;

const NAMES = {
  first: `resume: first start on these records, at step ${STEP}`,
  again: `resume: later start, at step ${STEP}`,
  draw: 'resume: a question, all tasks',
};

function* lines(count: number): Generator<string> {
  for (let i = 0; i < count; i++) yield `${JSON.stringify(webRecord(1, i, FUNCTION_WORDS))}\n`;
}

function start(...args: readonly string[]): StartFigures {
  const worker = fileURLToPath(new URL('../resume-worker.js', import.meta.url));
  return JSON.parse(execFileSync(process.execPath, [worker, ...args], { encoding: 'utf8' }));
}

export async function resumeRows({ quick, wants, add }: BenchContext): Promise<void> {
  if (!Object.values(NAMES).some(wants)) return;
  const dir = await mkdtemp(join(tmpdir(), 'mimic-bench-resume-'));
  try {
    const count = quick ? QUICK_RECORDS : RECORDS;
    const [path, folder] = [join(dir, 'train.jsonl'), join(dir, 'indexes')];
    await pipeline(Readable.from(lines(count)), createWriteStream(path));
    const first = start(path, folder, String(STEP));
    const repeats = quick ? 1 : 5;
    const again = Array.from({ length: repeats }, () => start(path, folder, String(STEP)));
    if (first.isFromFile || again.some(({ isFromFile }) => !isFromFile)) throw new Error('the index was not kept');
    const about = (figures: StartFigures) => {
      return `${count} records; ${figures.openSeconds.toFixed(2)} s of it to the index, ${figures.rssMiB.toFixed(0)} MiB resident`;
    };
    const promised = { peer: PROMISED_S, peerName: 'promised', unit: 's' };
    if (wants(NAMES.first))
      add(row('lower', { name: NAMES.first, ours: first.seconds, ...promised, note: about(first) }));
    const [one] = again;
    if (one !== undefined && wants(NAMES.again)) {
      const ours = median(again.map(({ seconds }) => seconds));
      add(row('lower', { name: NAMES.again, ours, ...promised, note: about(one) }));
    }
    if (!wants(NAMES.draw)) return;
    const { draws, rssMiB } = start(path, folder, String(STEP), String(DRAWS));
    const shown = Object.entries(draws).map(
      ([task, { median, p99 }]) => `${task} ${median.toFixed(3)}/${p99.toFixed(2)}`,
    );
    const note = `median/p99 ms: ${shown.join(', ')}; ${rssMiB.toFixed(0)} MiB resident at the end`;
    const ours = median(Object.values(draws).map(({ median }) => median));
    add(row('lower', { name: NAMES.draw, ours, peer: PROMISED_DRAW_MS, peerName: 'promised', unit: 'ms', note }));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
