/**
 * Full-size models on this machine: a choice about a real clip, stage by stage, beside PyTorch + transformers.
 *
 *     node .cache/bench/bench/full-size/run.js --video clip.mp4 [--weights DIR] [--models 1b,8b] [--tokenizer FILE] [--tiny]
 *         [--threads N] [--repeats N] [--out FILE]
 *
 * Random checkpoints are written to --weights where they are not there yet: 1.9 GB for 1b, 16 GB for 8b. transformers runs
 * the 1b where MIMIC_BENCH_PYTHON has torch, transformers and safetensors.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../../src/base/package-root.js';
import { writeRandomCheckpoint } from '../../src/model/random-weights/write-random-checkpoint.js';
import { findPython } from '../python.js';
import { commitName, formatRow, machine, type Row, writeReport } from '../report.js';
import { agreement } from './agreement.js';
import { besidePeer, memoryRow, ownStages, planRow } from './rows.js';
import { type Precision, type Run, runOurs, runPeer, runPlan } from './sides.js';

const { values } = parseArgs({
  options: {
    video: { type: 'string' },
    weights: { type: 'string', default: join(packageRoot(), '.cache', 'weights') },
    models: { type: 'string', default: '1b,8b' },
    tokenizer: { type: 'string' },
    tiny: { type: 'boolean', default: false },
    threads: { type: 'string' },
    repeats: { type: 'string', default: '3' },
    out: { type: 'string' },
  },
});
if (values.video === undefined) throw new Error('--video FILE is needed');
const video = resolve(values.video);
const threads = Number(values.threads ?? availableParallelism());
const repeats = Number(values.repeats);
const models = values.models.split(',');

async function checkpointOf(size: '1b' | '8b'): Promise<string> {
  const like = `internvl2.5-${size}` as const;
  const out = join(values.weights, values.tiny ? `${like}-tiny` : like);
  if (existsSync(join(out, 'config.json'))) return out;
  console.log(`writing ${out}`);
  const tokenizer = size === '8b' && !values.tiny ? values.tokenizer : undefined;
  await writeRandomCheckpoint({ like, out, scale: values.tiny ? 'tiny' : 'full', tokenizer });
  return out;
}

const python = await findPython();
const rows: Row[] = [];
const runs: Record<string, unknown> = {};
const add = (...more: Row[]) => {
  for (const row of more) {
    rows.push(row);
    console.log(formatRow(row));
  }
};

async function measure(size: '1b' | '8b', precision: Precision): Promise<void> {
  const name = `internvl2.5-${size} ${precision}`;
  const run: Run = { checkpoint: await checkpointOf(size), precision, threads, repeats: size === '8b' ? 1 : repeats };
  const folder = await mkdtemp(join(tmpdir(), 'mimic-full-size-'));
  try {
    const files = { inputs: join(folder, 'inputs.safetensors'), logits: join(folder, 'logits.safetensors') };
    const planned = await runPlan(run, video);
    const ours = await runOurs(run, video, files);
    add(planRow(name, planned, ours.peakBytes));
    if (size === '8b' || 'reason' in python) {
      add(...ownStages(name, ours));
      runs[name] = { ours };
      return;
    }
    const peer = await runPeer({ ...run, imageToken: ours.imageToken }, python.path, files, join(folder, 'peer'));
    const agreed = await agreement(files.logits, join(folder, 'peer.safetensors'), precision);
    console.log(
      `${name}: logits differ by ${agreed.maxAbs.toExponential(1)} at most, cosine ${agreed.cosine.toFixed(6)}`,
    );
    add(...besidePeer(name, ours, peer), memoryRow(name, ours, peer));
    runs[name] = { ours, peer, agreement: agreed };
  } finally {
    await rm(folder, { recursive: true });
  }
}

const about = { ...machine(), threads, commit: commitName() };
console.log(Object.values(about).join('; '));
if ('reason' in python) console.log(`Rows beside transformers are left out: ${python.reason}`);
const started = performance.now();
if (models.includes('1b')) for (const precision of ['fp32', 'bf16'] as const) await measure('1b', precision);
if (models.includes('8b')) await measure('8b', 'bf16');
const seconds = Math.round((performance.now() - started) / 1000);
const isWhole = models.includes('1b') && models.includes('8b') && !values.tiny;
const out = values.out ?? (isWhole ? join(packageRoot(), 'bench', 'results', 'full-size.json') : undefined);
if (out !== undefined) {
  const peers = 'reason' in python ? {} : python.versions;
  const command = ['node .cache/bench/bench/full-size/run.js', ...process.argv.slice(2)].join(' ');
  await writeReport(out, { ...about, command, date: new Date().toISOString(), seconds, peers, rows, runs });
  console.log(`written to ${out}`);
}
