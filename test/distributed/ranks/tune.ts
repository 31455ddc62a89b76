/** One rank of a tiny training run; writes what it saw to `<report>-<rank>.json`, also when the run fails. */
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { DataError } from '../../../src/base/errors.js';
import { log } from '../../../src/base/logger.js';
import { hashLabel } from '../../../src/base/rng.js';
import { videoKey } from '../../../src/data/video/open-video.js';
import { videoError } from '../../../src/data/video/video-error.js';
import type { MimicChatModel } from '../../../src/model/mimic-chat.js';
import type { BadVideo } from '../../../src/train/bad-videos/bad-video.js';
import type { RunConfig } from '../../../src/train/config.js';
import { asRank } from '../../../src/train/join-ranks.js';
import { type TuneStep, tune } from '../../../src/train/tune.js';
import { randomVideo } from '../../support/tiny-model.js';
import { interceptFs } from '../../train/checkpoint/intercept-fs.js';

export interface RankOrder {
  readonly config: RunConfig;
  readonly report: string;
  readonly backend: 'native' | 'cpu';
  readonly resume?: boolean;
  readonly seedOfRank?: Readonly<Record<number, number>>;
  /** Records whose videos no rank can decode. */
  readonly bad?: readonly string[];
  /** What goes wrong, on which rank, after how many steps. */
  readonly fault?: {
    readonly kind: 'throw' | 'data' | 'kill' | 'skip' | 'stop' | 'nan' | 'full-disk';
    readonly rank: number;
    readonly step: number;
  };
}

export interface RankReport {
  readonly steps: readonly TuneStep[];
  /** Of the result; null when the run failed. */
  readonly badVideos: readonly BadVideo[] | null;
  /** Records whose videos this rank decoded, or tried to, in order. */
  readonly decodes: readonly string[];
  readonly collectives: number;
}

const order = JSON.parse(process.argv[2] ?? '{}') as RankOrder;
log.level = 'warn';

/** As after a step that was too large, on this rank alone. */
function spoil(model: MimicChatModel): void {
  const [parameter] = model.parameters.trainable();
  if (parameter === undefined) throw new Error('nothing is trained');
  const held = parameter.value;
  parameter.value = tf.keep(tf.mul(held, Number.NaN));
  held.dispose();
}

try {
  await asRank({ backend: order.backend, device: 'cpu', threads: 1 }, async (communicator) => {
    const { config, bad = [] } = order;
    const steps: TuneStep[] = [];
    const decodes: string[] = [];
    const fault = order.fault?.rank === communicator.rank ? order.fault : undefined;
    const stop = new AbortController();
    let isBroken = false;
    let isDiskFull = false;
    if (fault?.kind === 'full-disk') {
      await interceptFs((operation) => {
        if (!isDiskFull || operation !== 'half-written') return;
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      });
    }
    let model: MimicChatModel | undefined;
    let badVideos: RankReport['badVideos'] = null;
    try {
      const result = await tune({
        config: { ...config, seed: order.seedOfRank?.[communicator.rank] ?? config.seed },
        frames: async (input) => {
          const id = basename(videoKey(input), '.mp4');
          decodes.push(id);
          if (isBroken) throw new DataError('E_VIDEO_DECODE', 'clip-7: no frame could be read');
          if (bad.includes(id)) throw videoError('TRUNCATED', videoKey(input), 'the video file is cut');
          return randomVideo(config.model, hashLabel(videoKey(input)), 4);
        },
        communicator,
        resume: order.resume ?? false,
        signal: stop.signal,
        onStart: (start) => {
          ({ model } = start);
        },
        onStep: (step) => {
          steps.push(step);
          if (fault?.step !== step.step) return;
          writeFileSync(`${order.report}-fault`, String(Date.now()));
          if (fault.kind === 'throw') throw new Error('the reporter of this rank broke');
          if (fault.kind === 'data') isBroken = true;
          if (fault.kind === 'kill') process.kill(process.pid, 'SIGKILL');
          if (fault.kind === 'skip')
            communicator.allGather(new Float64Array(16), new Float64Array(16 * communicator.size));
          if (fault.kind === 'stop') stop.abort();
          if (fault.kind === 'nan' && model !== undefined) spoil(model);
          if (fault.kind === 'full-disk') isDiskFull = true;
        },
      });
      ({ badVideos } = result);
    } finally {
      const { collectives } = communicator;
      const report: RankReport = { steps, badVideos, decodes, collectives };
      writeFileSync(`${order.report}-${communicator.rank}.json`, JSON.stringify(report));
    }
  });
} catch (error) {
  process.stderr.write(
    `[${process.env['OMPI_COMM_WORLD_RANK']}] ${String((error as { code?: string }).code)} ${String(error)}\n`,
  );
  process.exitCode = 1;
}
