/**
 * An epoch of the demo's training, its videos' features from the disk cache, beside decoding and encoding each video.
 *
 * Nothing is kept in memory on either side: the demo's features would fit, those of a real corpus do not.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useBackend } from '../src/backend/select.js';
import { loadConfig } from '../src/base/config.js';
import { packageRoot } from '../src/base/package-root.js';
import { synthesizeCorpus } from '../src/data/synth/corpus.js';
import { FACT_KINDS } from '../src/data/synth/facts.js';
import { syntheticVocabulary } from '../src/data/synth/vocabulary.js';
import { createTokenizer } from '../src/data/tokenizer.js';
import { openVideo } from '../src/data/video/open-video.js';
import { Pool } from '../src/data/video/pool.js';
import { buildWordTokenizerJson } from '../src/data/word-tokenizer.js';
import { type RunConfig, RunConfigSchema, samplingOf } from '../src/train/config.js';
import { tune } from '../src/train/tune.js';
import { interleaved, type Sample } from './measure.js';
import { type BenchContext, row } from './report.js';

/** The demo's training split. */
const CLIPS = 600;
const QUICK_CLIPS = 48;
const PEER_NAME = 'every video decoded and encoded';
const NAMES = { cached: 'epoch: features from the cache', filling: 'epoch: the first, which fills the cache' };

async function demoConfig(folder: string, clips: number, threads: number): Promise<RunConfig> {
  const { paths } = await synthesizeCorpus({ dir: folder, seed: 0, counts: { train: clips, validation: 0, test: 0 } });
  const tokenizerDir = join(folder, 'tokenizer');
  await mkdir(tokenizerDir, { recursive: true });
  const tokenizer = await createTokenizer(buildWordTokenizerJson([...syntheticVocabulary(), ...FACT_KINDS]));
  await tokenizer.save(tokenizerDir);
  const { config } = await loadConfig(RunConfigSchema, {
    file: join(packageRoot(), 'configs', 'demo.yaml'),
    overrides: ['--train.featureCacheMiB=0', `--data.decodeWorkers=${threads}`, '--train.epochs=1'],
  });
  const data = { ...config.data, train: paths.train, validation: undefined };
  const { language } = config.model;
  const model = { ...config.model, language: { ...language, vocabSize: tokenizer.vocabSize } };
  // Without a base the encoders have random weights, which cost as much.
  return { ...config, out: join(folder, 'checkpoints'), base: undefined, tokenizer: tokenizerDir, data, model };
}

interface Epoch {
  readonly ms: number;
  readonly losses: readonly number[];
  readonly dataWaitShare: number;
}

async function runEpoch(config: RunConfig, featureCache: RunConfig['train']['featureCache']): Promise<Epoch> {
  const pool = new Pool(config.data.decodeWorkers);
  const sampling = samplingOf(config);
  const losses: number[] = [];
  let started = 0;
  let ended = 0;
  let waitedSec = 0;
  await rm(config.out, { recursive: true, force: true });
  await tune({
    config: { ...config, train: { ...config.train, featureCache } },
    resume: false,
    frames: (input) => openVideo(input, sampling, { pool }),
    onStart: () => {
      started = performance.now();
    },
    onStep: ({ loss, dataWaitSec }) => {
      ended = performance.now();
      losses.push(loss);
      waitedSec += dataWaitSec;
    },
  });
  const ms = ended - started;
  return { ms, losses, dataWaitShare: (1000 * waitedSec) / ms };
}

export async function epochRows(context: BenchContext): Promise<void> {
  if (!Object.values(NAMES).some(context.wants)) return;
  await useBackend({ backend: 'native', device: 'cpu', threads: context.threads });
  const folder = await mkdtemp(join(tmpdir(), 'mimic-bench-epoch-'));
  try {
    const clips = context.quick ? QUICK_CLIPS : CLIPS;
    const config = await demoConfig(folder, clips, context.threads);
    const cache = (name: string) => ({ dir: join(folder, name), maxGiB: 1 });
    const last: Epoch[] = [];
    const side =
      (index: number, featureCache: RunConfig['train']['featureCache'], prepare = async () => {}): Sample =>
      async () => {
        await prepare();
        const epoch = await runEpoch(config, featureCache);
        last[index] = epoch;
        return epoch.ms;
      };
    await runEpoch(config, cache('filled'));
    const times = await interleaved(
      [
        side(0, { maxGiB: 0 }),
        side(1, cache('filled')),
        side(2, cache('filling'), () => rm(join(folder, 'filling'), { recursive: true, force: true })),
      ],
      { repeats: context.quick ? 1 : 3, warmUp: 0 },
    );
    const [without, cached, filling] = last;
    for (const side of [cached, filling]) {
      // Whoever is faster must compute the same.
      if (side?.losses.join() !== without?.losses.join()) throw new Error('losses differ with the feature cache');
    }
    const waits = [without, cached, filling].map((epoch) => `${(100 * (epoch?.dataWaitShare ?? 0)).toFixed(1)} %`);
    const seconds = times.map((ms) => ms / 1000);
    for (const [name, at] of [[NAMES.cached, 1] as const, [NAMES.filling, 2] as const]) {
      if (!context.wants(name)) continue;
      const note = `${clips} clips, nothing in memory; waiting for features ${waits[at]} of the time, ${waits[0]} without`;
      const values = { ours: seconds[at] ?? Number.NaN, peer: seconds[0] ?? Number.NaN };
      context.add(row('lower', { name, ...values, peerName: PEER_NAME, unit: 's', note }));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
