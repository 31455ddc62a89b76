/** The demo's clips: rendered to mp4, then decoded once for every stage. */
import { join } from 'node:path';
import { z } from 'zod';
import { Progress } from '../base/progress.js';
import type { VideoRecord } from '../data/record.js';
import { SPLITS, type Split, synthesizeCorpus } from '../data/synth/corpus.js';
import { FACT_VALUES, type Facts } from '../data/synth/facts.js';
import { decodeVideo } from '../data/video/decode-video.js';
import type { SamplingConfig } from '../data/video/sampling.js';
import type { VideoFrames } from '../model/frames.js';

export interface DemoClip {
  readonly record: VideoRecord;
  readonly facts: Facts;
  readonly path: string;
  readonly video: VideoFrames;
}

export interface DemoClips {
  readonly dir: string;
  /** The JSONL file of each split. */
  readonly paths: Readonly<Record<Split, string>>;
  readonly clips: Readonly<Record<Split, readonly DemoClip[]>>;
}

export interface DemoClipsOptions {
  readonly dir: string;
  readonly seed: number;
  readonly counts: Readonly<Record<Split, number>>;
  readonly sampling: SamplingConfig;
  readonly signal?: AbortSignal;
}

export async function makeClips(options: DemoClipsOptions): Promise<DemoClips> {
  const { dir, seed, counts, sampling, signal } = options;
  const total = SPLITS.reduce((sum, split) => sum + counts[split], 0);
  const rendering = new Progress('render clips', { total });
  const stop = signal === undefined ? {} : { signal };
  const onProgress = ({ done, reused }: { done: number; reused: number }) =>
    rendering.update(done, reused > 0 ? `${reused} were there already` : '');
  const { records, paths } = await synthesizeCorpus({ dir, seed, counts, onProgress, ...stop });
  rendering.end();

  const decoding = new Progress('decode clips', { total });
  let done = 0;
  // decodeVideo bounds its own processes, so all may be asked for at once.
  const decode = async (record: VideoRecord): Promise<DemoClip> => {
    const path = join(dir, record.video_path ?? '');
    const video = await decodeVideo(path, sampling, { ...stop, warm: true });
    decoding.update(++done);
    return { record, facts: factsOf(record), path, video };
  };
  const clips = {
    train: await Promise.all(records.train.map(decode)),
    validation: await Promise.all(records.validation.map(decode)),
    test: await Promise.all(records.test.map(decode)),
  };
  decoding.end();
  return { dir, paths, clips };
}

const FactsSchema = z.object({
  shape: z.enum(FACT_VALUES.shape),
  color: z.enum(FACT_VALUES.color),
  bg: z.enum(FACT_VALUES.bg),
  layout: z.enum(FACT_VALUES.layout),
  motion: z.enum(FACT_VALUES.motion),
  lamp: z.enum(FACT_VALUES.lamp),
});

function factsOf(record: VideoRecord): Facts {
  return FactsSchema.parse(record.facts);
}
