/** `mimic train` under a real mpirun, on pictures in place of videos. `npm test` compiles it first. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { packageRoot } from '../../src/base/package-root.js';
import { loadLatestCheckpoint } from '../../src/train/checkpoint.js';
import { RANKS_TIMEOUT_MS, startRanks, whyNoMpi } from '../support/mpi/run-ranks.js';
import { tinyRun } from '../support/tiny-run.js';
import { temporaryFolder } from '../train/temporary-folder.js';

const reason = whyNoMpi();
const VIDEOS = 6;

describe.skipIf(reason !== undefined)(
  `mimic train under mpirun${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  { timeout: RANKS_TIMEOUT_MS },
  () => {
    const dir = temporaryFolder();
    const runDir = (name: string) => join(dir, 'checkpoints', name);
    const lines = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : []);
    const eventsOf = (name: string) =>
      lines(join(runDir(name), 'events.jsonl')).map((line) => JSON.parse(line) as { event: string; step?: number });

    beforeAll(async () => {
      const train = { epochs: 100_000, batchSize: 1, accumulate: 3, saveEverySteps: 1_000_000, learningRate: 1e-5 };
      const { config } = await tinyRun(dir, { train: VIDEOS, validation: 2 }, { train });
      const records = lines(join(dir, 'train.jsonl')).map((line) => {
        const { video_path: _, ...record } = JSON.parse(line) as { id: string; video_path: string };
        return `${JSON.stringify({ ...record, frames: [`${record.id}.png`], frame_times_sec: [0] })}\n`;
      });
      writeFileSync(join(dir, 'train.jsonl'), records.join(''));
      for (let i = 0; i < VIDEOS; i++) {
        const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
        const picture = sharp({ create: { width: 8, height: 8, channels: 3, background: 'black', noise } });
        await picture.png().toFile(join(dir, `train-${i}.png`));
      }
      const { validation: _, ...data } = config.data;
      writeFileSync(join(dir, 'run.yaml'), stringify({ ...config, data }));
    }, RANKS_TIMEOUT_MS);

    const start = (name: string, flags: readonly string[] = []) => {
      const words = [join(packageRoot(), 'bin/mimic.js'), 'train', '-c', join(dir, 'run.yaml'), `--name=${name}`];
      const env = { MIMIC_COLLECTIVE_TIMEOUT_SEC: '60' };
      return startRanks(3, [...words, '--device', 'cpu', '--threads', '1'], env, flags);
    };

    // mpirun passes SIGUSR2 on and ends with the ranks' exit code. After SIGTERM it waits, passes it on, waits, kills, and
    // ends with a code of its own; it does not say what the ranks' were.
    it.each([
      ['SIGUSR2', 130, []],
      ['SIGTERM', 1, ['--mca', 'odls_base_sigkill_timeout', '4']],
    ] as const)('on %s to mpirun finishes the step on all ranks and saves it once', async (signal, code, flags) => {
      const run = start(signal, flags);
      while (eventsOf(signal).filter(({ event }) => event === 'step').length < 3 && run.child.exitCode === null) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      run.child.kill(signal);
      const { exitCode, output } = await run.result;
      expect(exitCode, output).toBe(code);
      expect(output.match(/interrupted after step/g)).toHaveLength(1);
      const events = eventsOf(signal);
      expect(events.at(-1)).toMatchObject({ event: 'end', reason: 'interrupted' });
      const lastStep = events.filter(({ event }) => event === 'step').at(-1)?.step ?? 0;
      const { latest, skipped } = await loadLatestCheckpoint(runDir(signal));
      expect([latest?.checkpoint.step, skipped]).toEqual([lastStep, []]);
      expect(readdirSync(runDir(signal)).filter((name) => name.includes('step-'))).toHaveLength(1);
      expect(existsSync(join(runDir(signal), 'report.html'))).toBe(true);
    });

    it('on bad videos beyond the share exits with 2 and lists them, in the report too', async () => {
      writeFileSync(join(dir, 'train-4.png'), 'no picture');
      const { exitCode, output } = await start('broken').result;
      expect(exitCode, output).toBe(2);
      expect(output).toContain('1 of 6 videos cannot be used, more than data.badVideoMaxShare = 0.01');
      expect(output).toContain('train-4  train-4.png: E_IMAGE_');
      expect(readFileSync(join(runDir('broken'), 'quarantine.jsonl'), 'utf8')).toContain('"id":"train-4"');
      expect(eventsOf('broken').at(-1)).toMatchObject({ event: 'failed', code: 'E_BAD_VIDEOS' });
      expect(readFileSync(join(runDir('broken'), 'report.html'), 'utf8')).toContain('train-4  train-4.png: E_IMAGE_');
    });
  },
);
