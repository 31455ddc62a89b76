/** One rank of a tiny training run; writes what it saw to `<report>-<rank>.json`. */
import { writeFileSync } from 'node:fs';
import { DataError } from '../../../src/base/errors.js';
import { log } from '../../../src/base/logger.js';
import { hashLabel } from '../../../src/base/rng.js';
import { videoKey } from '../../../src/data/video/open-video.js';
import type { RunConfig } from '../../../src/train/config.js';
import { asRank } from '../../../src/train/join-ranks.js';
import { type TuneStep, tune } from '../../../src/train/tune.js';
import { randomVideo } from '../../support/tiny-model.js';

export interface RankOrder {
  readonly config: RunConfig;
  readonly report: string;
  readonly backend: 'native' | 'cpu';
  readonly resume?: boolean;
  readonly seedOfRank?: Readonly<Record<number, number>>;
  /** What goes wrong, on which rank, after how many steps. */
  readonly fault?: {
    readonly kind: 'throw' | 'data' | 'kill' | 'skip' | 'stop';
    readonly rank: number;
    readonly step: number;
  };
}

const order = JSON.parse(process.argv[2] ?? '{}') as RankOrder;
log.level = 'warn';

try {
  await asRank({ backend: order.backend, device: 'cpu', threads: 1 }, async (communicator) => {
    const { config } = order;
    const steps: TuneStep[] = [];
    const fault = order.fault?.rank === communicator.rank ? order.fault : undefined;
    const stop = new AbortController();
    let isBroken = false;
    await tune({
      config: { ...config, seed: order.seedOfRank?.[communicator.rank] ?? config.seed },
      frames: async (input) => {
        if (isBroken) throw new DataError('E_VIDEO_DECODE', 'clip-7: no frame could be read');
        return randomVideo(config.model, hashLabel(videoKey(input)), 4);
      },
      communicator,
      resume: order.resume ?? false,
      signal: stop.signal,
      onStep: (step) => {
        steps.push(step);
        if (fault?.step !== step.step) return;
        if (fault.kind === 'throw') throw new Error('the reporter of this rank broke');
        if (fault.kind === 'data') isBroken = true;
        if (fault.kind === 'kill') process.kill(process.pid, 'SIGKILL');
        if (fault.kind === 'skip')
          communicator.allGather(new Float64Array(16), new Float64Array(16 * communicator.size));
        if (fault.kind === 'stop') stop.abort();
      },
    });
    writeFileSync(`${order.report}-${communicator.rank}.json`, JSON.stringify(steps));
  });
} catch (error) {
  process.stderr.write(
    `[${process.env['OMPI_COMM_WORLD_RANK']}] ${String((error as { code?: string }).code)} ${String(error)}\n`,
  );
  process.exitCode = 1;
}
