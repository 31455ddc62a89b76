/** What all runs of a base start from: its folder, its records, and its videos' features, computed once. */
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../base/atomic-file.js';
import { ConfigError } from '../base/errors.js';
import { sha256, sha256File } from '../base/hash.js';
import { log } from '../base/logger.js';
import { SPLITS } from '../data/synth/corpus.js';
import { openVideo } from '../data/video/open-video.js';
import { Pool } from '../data/video/pool.js';
import { makeClips } from '../demo/clips.js';
import { CurveRecorder } from '../demo/curve-recorder.js';
import { runFoundation } from '../demo/foundation/run-foundation.js';
import { type RunConfig, samplingOf } from '../train/config.js';
import type { FrameSource } from '../train/features/feature-source.js';

export interface AblationBase {
  /** Names it in folders and tables: the base's seed, or `own`. */
  readonly name: string;
  /** Of the base's weights. */
  readonly sha256: string;
  /** Settings that lead a run to it. */
  readonly overrides: readonly string[];
  /** JSONL records of the third split. */
  readonly testRecords: string;
  /** Folder that the videos' paths are relative to. */
  readonly testRoot: string;
  readonly frames: FrameSource;
  /** The foundation's stages, where the base was made here. */
  readonly stages: readonly StageRow[];
}

const StageSchema = z.object({
  name: z.string(),
  steps: z.int(),
  accuracy: z.number(),
  gate: z.number(),
  passed: z.boolean(),
});
type StageRow = z.output<typeof StageSchema>;

const MarkerSchema = z.strictObject({ recipeSha256: z.string(), stages: z.array(StageSchema) });

/** Clips and effort of a foundation; the test split is twice the demo's, for narrower intervals. */
const FULL = { counts: { train: 600, validation: 120, test: 240 }, effort: 1 };
const QUICK = { counts: { train: 60, validation: 24, test: 24 }, effort: 0.1 };

export interface SynthesizeOptions {
  readonly dir: string;
  readonly seed: number;
  readonly quick: boolean;
  readonly config: RunConfig;
  readonly signal: AbortSignal;
}

/**
 * The demo's foundation for a seed of its own: corpus, encoders, language model, alignment. A folder that holds it is used
 * as it is.
 *
 * @throws ConfigError E_ABLATION_BASE when the folder holds one of another recipe
 */
export async function synthesizedBase(options: SynthesizeOptions): Promise<AblationBase> {
  const { dir, seed, quick, config, signal } = options;
  const { counts, effort } = quick ? QUICK : FULL;
  const { model, prompt } = config;
  const base = join(dir, 'base');
  const corpus = join(dir, 'corpus');
  const marker = join(dir, 'foundation.json');
  const recipeSha256 = sha256(JSON.stringify({ model, prompt, sampling: samplingOf(config), counts, effort, seed }));
  let stages = await knownStages(marker, recipeSha256);
  let frames = framesOnDisk(config);
  if (stages === undefined) {
    const made = await makeClips({ dir: corpus, seed, counts, sampling: samplingOf(config), signal });
    const curves = new CurveRecorder();
    try {
      stages = await runFoundation({
        ...{ dir: base, model, prompt, seed, effort },
        ...{ train: made.clips.train, validation: made.clips.validation },
        onProgress: (progress) => {
          signal.throwIfAborted();
          curves.add(progress);
        },
      });
    } finally {
      curves.finish();
    }
    await writeFileAtomic(marker, `${JSON.stringify({ recipeSha256, stages }, null, 2)}\n`);
    const decoded = new Map(SPLITS.flatMap((split) => made.clips[split]).map(({ path, video }) => [path, video]));
    const fromDisk = frames;
    frames = async (input) => (typeof input === 'string' ? decoded.get(input) : undefined) ?? fromDisk(input);
  }
  for (const { name, accuracy, gate, passed } of stages) {
    if (!passed) log.warn(`base ${seed}: stage ${name} ended at ${accuracy.toFixed(3)}, below its gate ${gate}`);
  }
  const path = (split: string) => join(corpus, `${split}.jsonl`);
  return {
    ...{ name: String(seed), sha256: await sha256File(join(base, 'model.safetensors')), frames, stages },
    testRecords: path('test'),
    testRoot: corpus,
    overrides: [
      `--base=${JSON.stringify(base)}`,
      `--data.train=${JSON.stringify(path('train'))}`,
      `--data.validation=${JSON.stringify(path('validation'))}`,
    ],
  };
}

async function knownStages(marker: string, recipeSha256: string): Promise<StageRow[] | undefined> {
  if (!existsSync(marker)) return undefined;
  const parsed = MarkerSchema.safeParse(JSON.parse(await readFile(marker, 'utf8')));
  if (parsed.success && parsed.data.recipeSha256 === recipeSha256) return parsed.data.stages;
  throw new ConfigError('E_ABLATION_BASE', `${marker}: this base was made with other settings.`, {
    hint: 'Give another --out or --bases-dir, or delete the folder.',
  });
}

/** The base and data that the configuration names. @throws ConfigError E_CONFIG_MISSING */
export async function ownBase(config: RunConfig, testRecords: string | undefined): Promise<AblationBase> {
  const missing = [
    config.base === undefined ? 'base' : '',
    config.data.train === undefined ? 'data.train' : '',
    testRecords === undefined ? '--test' : '',
  ].filter((name) => name !== '');
  if (missing.length > 0 || config.base === undefined || testRecords === undefined) {
    throw new ConfigError('E_CONFIG_MISSING', `mimic ablate: ${missing.join(', ')} not given.`, {
      hint: 'Name base, data.train and a third split (--test FILE), or give --bases 0,1 to make bases and corpora of those seeds.',
    });
  }
  return {
    ...{ name: 'own', sha256: await weightsIdentity(config.base), overrides: [], testRecords, stages: [] },
    testRoot: config.data.root ?? dirname(testRecords),
    frames: framesOnDisk(config),
  };
}

/** Bytes of one file, or of what describes a set of shards: hashing 16 GB would take longer than it is worth. */
async function weightsIdentity(dir: string): Promise<string> {
  const single = join(dir, 'model.safetensors');
  if (existsSync(single) && (await stat(single)).size < 2 ** 31) return sha256File(single);
  const index = ['model.safetensors.index.json', 'config.json', 'config.yaml'].map((name) => join(dir, name));
  const hashes = [];
  for (const path of index) if (existsSync(path)) hashes.push(await sha256File(path));
  return sha256(hashes.join());
}

function framesOnDisk(config: RunConfig): FrameSource {
  const pool = new Pool(config.data.decodeWorkers);
  const sampling = samplingOf(config);
  return (input) => openVideo(input, sampling, { pool });
}
