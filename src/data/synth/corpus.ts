import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Rng } from '../../base/rng.js';
import { writeJsonl } from '../jsonl.js';
import type { VideoRecord } from '../record.js';
import { drawFacts } from './facts.js';
import { makeRecord } from './record.js';
import { type ClipPlan, renderGroup } from './render.js';

export const SPLITS = ['train', 'validation', 'test'] as const;
export type Split = (typeof SPLITS)[number];

/** Clips an ffmpeg process encodes; starting one costs about as much as encoding eight clips. */
const GROUP_SIZE = 30;
/** ffmpeg processes at a time; this process draws the frames for all of them. */
const WORKERS = 2;

export interface CorpusOptions {
  /** Data root: gets <split>.jsonl and videos/<id>.mp4. */
  readonly dir: string;
  readonly seed: number;
  /** Clips of each split. */
  readonly counts: Readonly<Record<Split, number>>;
  /** Called after each group of clips. */
  readonly onProgress?: (progress: CorpusProgress) => void;
  readonly signal?: AbortSignal;
}

export interface CorpusProgress {
  readonly done: number;
  readonly total: number;
  /** Clips among `done` that were on disk already. */
  readonly reused: number;
}

export interface Corpus {
  readonly records: Readonly<Record<Split, VideoRecord[]>>;
  /** The JSONL file of each split. */
  readonly paths: Readonly<Record<Split, string>>;
}

/**
 * Makes a corpus of short synthetic clips with user-like metadata. The same seed gives the same records and, with the same
 * ffmpeg, the same files; splits have random streams of their own, so changing the size of one leaves the others.
 *
 * @throws BackendError E_FFMPEG_*; the abort reason of `signal`
 */
export async function synthesizeCorpus(options: CorpusOptions): Promise<Corpus> {
  const videosDir = join(options.dir, 'videos');
  await mkdir(videosDir, { recursive: true });
  const drawn = perSplit((split) => drawSplit(split, options.seed, options.counts[split]));
  await renderAll(drawn, videosDir, options);
  const paths = perSplit((split) => join(options.dir, `${split}.jsonl`));
  for (const split of SPLITS) await writeJsonl(paths[split], drawn[split].records);
  return { records: perSplit((split) => drawn[split].records), paths };
}

interface DrawnSplit {
  readonly records: VideoRecord[];
  readonly plans: readonly ClipPlan[];
}

function drawSplit(split: Split, seed: number, count: number): DrawnSplit {
  const records: VideoRecord[] = [];
  const plans: ClipPlan[] = [];
  for (let i = 0; i < count; i++) {
    const id = `${split}-${String(i).padStart(5, '0')}`;
    const rng = new Rng(seed, `synthetic/${split}`).fork(i);
    const facts = drawFacts(rng);
    records.push(makeRecord(facts, rng.fork('metadata'), id));
    plans.push({ id, facts, rng: rng.fork('clip') });
  }
  return { records, plans };
}

async function renderAll(
  drawn: Readonly<Record<Split, DrawnSplit>>,
  videosDir: string,
  { onProgress, signal }: CorpusOptions,
): Promise<void> {
  const groups = SPLITS.flatMap((split) => groupsOf(split, drawn[split].plans));
  const total = SPLITS.reduce((sum, split) => sum + drawn[split].plans.length, 0);
  const failed = new AbortController();
  const stop = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  let next = 0;
  let done = 0;
  let reused = 0;
  const work = async () => {
    for (let group = groups[next++]; group !== undefined; group = groups[next++]) {
      const rendered = await renderGroup(group.name, group.plans, videosDir, stop);
      done += group.plans.length;
      if (!rendered) reused += group.plans.length;
      onProgress?.({ done, total, reused });
    }
  };
  const workers = Array.from({ length: WORKERS }, () =>
    work().catch((error: unknown) => {
      // The other worker stops too; its own abort is then not the first failure.
      failed.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(workers);
  await Promise.all(workers);
}

interface Group {
  readonly name: string;
  readonly plans: readonly ClipPlan[];
}

function groupsOf(split: Split, plans: readonly ClipPlan[]): Group[] {
  const groups: Group[] = [];
  for (let start = 0; start < plans.length; start += GROUP_SIZE) {
    const name = `${split}-${String(groups.length).padStart(4, '0')}`;
    groups.push({ name, plans: plans.slice(start, start + GROUP_SIZE) });
  }
  return groups;
}

function perSplit<T>(value: (split: Split) => T): Record<Split, T> {
  return { train: value('train'), validation: value('validation'), test: value('test') };
}
