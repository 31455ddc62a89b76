/**
 * Whole training from the video file on beside PyTorch and peft: decoding, both frozen encoders, projectors, fusion, the
 * language model's LoRA step. The same clips, tokens, weights and order; each side in a process of its own.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interleaved, type Sample } from '../measure.js';
import { peerScript } from '../python.js';
import { type BenchContext, type Row, row } from '../report.js';
import { TRAINING_CASES, type TrainingCase } from '../training/case.js';
import { type Answer, Worker } from '../worker.js';

const OUR_WORKER = fileURLToPath(new URL('../training/worker.js', import.meta.url));
/** Largest relative difference of any step's loss: beyond this it is not the same training. */
const TOLERANCE = 1e-4;

/** How the peer's DataLoader workers decode. */
const DECODERS = { pyav: 'PyAV', ffmpeg: 'an ffmpeg process a clip' } as const;

interface Trained extends Answer {
  readonly losses: readonly number[];
  readonly tokens: number;
  readonly clips: number;
  readonly waitShare: number;
}

const names = (which: string, threads: number) => ({
  plain: `training, ${which}, ${threads} threads`,
  cached: `training from epoch 2 on, ${which}, ${threads} threads`,
});

/** Versions of what the peer needs beyond torch, or undefined. */
function versionsOf(python: string): { peft: string; PyAV: string } | undefined {
  try {
    const code = 'import json, peft, av; print(json.dumps({"peft": peft.__version__, "PyAV": av.__version__}))';
    return JSON.parse(execFileSync(python, ['-c', code], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    return undefined;
  }
}

function largestDifference(ours: readonly number[], theirs: readonly number[]): number {
  if (ours.length !== theirs.length)
    throw new Error(`training: ${ours.length} steps of ours, ${theirs.length} of theirs`);
  const differences = ours.map((loss, i) => Math.abs(loss - (theirs[i] ?? Number.NaN)) / Math.abs(theirs[i] ?? 1));
  const largest = Math.max(...differences);
  if (!(largest <= TOLERANCE)) throw new Error(`training: losses ${ours.join()} and PyTorch's ${theirs.join()} differ`);
  return largest;
}

async function compare(context: BenchContext, which: TrainingCase, dir: string, python: string): Promise<void> {
  const { threads, quick, wants } = context;
  const name = names(which.name, threads);
  const args = [which.name, dir, String(threads)];
  const writer = await Worker.start(process.execPath, [OUR_WORKER, ...args, 'write']);
  await writer.stop();
  const ours = await Worker.start(process.execPath, [OUR_WORKER, ...args]);
  const theirs = await Worker.start(python, [peerScript('training/worker.py'), dir, String(threads)]);
  try {
    const last = new Map<string, Trained>();
    const side =
      (worker: Worker, what: string): Sample =>
      async () => {
        const answer = (await worker.ask({ do: what })) as Trained;
        last.set(what, answer);
        return answer.ms;
      };
    const sides = [side(ours, 'train'), side(theirs, 'pyav'), side(theirs, 'ffmpeg'), side(ours, 'cached')];
    // The warm-up fills the feature cache.
    const [plainMs = 0, pyavMs = 0, ffmpegMs = 0, cachedMs = 0] = await interleaved(sides, {
      repeats: quick ? 1 : which.repeats,
      warmUp: 1,
    });
    const losses = (what: string) => last.get(what)?.losses ?? [];
    const pairs = [
      ['train', 'pyav'],
      ['train', 'ffmpeg'],
      ['cached', 'pyav'],
    ] as const;
    const difference = Math.max(...pairs.map(([a, b]) => largestDifference(losses(a), losses(b))));
    const add = (what: 'train' | 'cached', ourMs: number, peerMs: number, decoder: keyof typeof DECODERS) => {
      const title = what === 'train' ? name.plain : name.cached;
      const { tokens = 0, clips = 0, waitShare = 0 } = last.get(what) ?? {};
      const perSecond = (count: number, ms: number) => (1000 * count) / ms;
      const peerName = `PyTorch eager + peft, ${DECODERS[decoder]}`;
      const wait = `waiting for videos ${(100 * waitShare).toFixed(0)} % of the time`;
      const agreed = `losses of ${losses(what).length} steps agree to ${difference.toExponential(0)}`;
      const common = { name: title, peerName };
      const rows: Row[] = [
        row('higher', {
          ...{ ...common, unit: 'tokens/s', ours: perSecond(tokens, ourMs), peer: perSecond(tokens, peerMs) },
          note: `${agreed}; ${wait}`,
        }),
        row('higher', {
          ...{ ...common, unit: 'clips/s', ours: perSecond(clips, ourMs), peer: perSecond(clips, peerMs) },
        }),
      ];
      for (const one of rows) if (wants(title)) context.add(one);
    };
    add('train', plainMs, pyavMs, 'pyav');
    add('train', plainMs, ffmpegMs, 'ffmpeg');
    add('cached', cachedMs, pyavMs, 'pyav');
    add('cached', cachedMs, ffmpegMs, 'ffmpeg');
  } finally {
    await Promise.all([ours.stop(), theirs.stop()]);
  }
}

export async function trainingRows(context: BenchContext): Promise<void> {
  const { python, threads } = context;
  const wanted = TRAINING_CASES.filter(({ name }) => Object.values(names(name, threads)).some(context.wants));
  if (python === undefined || wanted.length === 0) return;
  const versions = versionsOf(python);
  if (versions === undefined) {
    console.log(`Rows of whole training are left out: ${python} lacks peft or av (bench/peers/requirements.txt)`);
    return;
  }
  for (const [peer, version] of Object.entries(versions)) context.peer(peer, version);
  for (const which of wanted) {
    const dir = await mkdtemp(join(tmpdir(), 'bench-training-'));
    try {
      await compare(context, which, dir, python);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }
}
