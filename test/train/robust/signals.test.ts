/** `mimic train` as a process of its own, on pictures in place of videos. `npm test` compiles it first. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { packageRoot } from '../../../src/base/package-root.js';
import { loadLatestCheckpoint } from '../../../src/train/checkpoint.js';
import { makeMedia } from '../../data/video/media.js';
import { tinyRun } from '../../support/tiny-run.js';

const dir = mkdtempSync(join(tmpdir(), 'mimic-signals-'));
const held: ChildProcess[] = [];
afterAll(() => {
  for (const child of held) child.kill('SIGKILL');
  if (existsSync(join(dir, 'pids'))) for (const pid of lines(join(dir, 'pids'))) kill(Number(pid));
  rmSync(dir, { recursive: true });
});

const lines = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : []);

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

interface Started {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  readonly exit: Promise<number | null>;
  /** Waits until `condition` holds, or the process ends. */
  until(condition: () => boolean): Promise<void>;
}

function train(config: string, env: object, ...flags: string[]): Started {
  const words = [join(packageRoot(), 'bin/mimic.js'), 'train', '-c', config, '--threads', '1', ...flags];
  const child = spawn(process.execPath, words, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  held.push(child);
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const exit = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const until = async (condition: () => boolean) => {
    while (!condition()) {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${text}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return { child, exit, until, stderr: () => text };
}

/** A configuration whose run would take hours. */
async function writeConfig(name: string, source: (id: string) => object): Promise<string> {
  const train = { epochs: 100_000, saveEverySteps: 1_000_000, learningRate: 1e-5 };
  const { config } = await tinyRun(join(dir, name), { train: 4, validation: 2 }, { train });
  const file = join(dir, name, 'train.jsonl');
  const records = lines(file).map((line) => {
    const { video_path: _, ...record } = JSON.parse(line) as { id: string; video_path: string };
    return `${JSON.stringify({ ...record, ...source(record.id) })}\n`;
  });
  writeFileSync(file, records.join(''));
  const { validation: _, ...data } = config.data;
  writeFileSync(join(dir, `${name}.yaml`), stringify({ ...config, data }));
  return join(dir, `${name}.yaml`);
}

const stepsOf = (name: string) =>
  lines(join(dir, name, 'checkpoints/run/events.jsonl'))
    .map((line) => JSON.parse(line) as { event: string; step?: number; reason?: string })
    .filter(({ event }) => event === 'step' || event === 'end');

describe('mimic train', () => {
  let config: string;
  beforeAll(async () => {
    const times = { frame_times_sec: [0, 0.5] };
    config = await writeConfig('pictures', (id) => ({ frames: [`../${id}.png`, '../second.png'], ...times }));
    for (const name of ['train-0', 'train-1', 'train-2', 'train-3', 'second']) {
      const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
      const picture = sharp({ create: { width: 8, height: 8, channels: 3, background: 'black', noise } });
      await picture.png().toFile(join(dir, `${name}.png`));
    }
  });

  it.each([['SIGTERM'], ['SIGINT']] as const)(
    'on %s finishes the step, saves it and exits with 130',
    async (signal) => {
      // The second run goes on where the first one stopped.
      const before = stepsOf('pictures').filter(({ event }) => event === 'step').length;
      const run = train(config, {}, ...(before > 0 ? ['--resume'] : []));
      await run.until(() => stepsOf('pictures').filter(({ event }) => event === 'step').length >= before + 3);
      run.child.kill(signal);
      expect(await run.exit, run.stderr()).toBe(130);
      expect(run.stderr()).toContain(`${signal}: saving after this step; again to stop at once`);
      const events = stepsOf('pictures');
      expect(events.at(-1)).toMatchObject({ event: 'end', reason: 'interrupted' });
      const steps = events.filter(({ event }) => event === 'step').map(({ step }) => step);
      expect(steps).toEqual(steps.map((_, i) => i + 1));
      const { latest, skipped } = await loadLatestCheckpoint(join(dir, 'pictures/checkpoints/run'));
      expect([latest?.checkpoint.step, skipped]).toEqual([steps.at(-1), []]);
    },
  );

  it('on a second signal quits at once, though its videos never come', async () => {
    const stuck = await writeConfig('stuck', () => ({ video_path: '../clip.mp4' }));
    makeMedia(['-f', 'lavfi', '-i', 'testsrc2=s=16x16:r=4:d=1', '-pix_fmt', 'yuv420p', join(dir, 'clip.mp4')]);
    const ffmpeg = join(dir, 'ffmpeg');
    const version = 'echo ffmpeg version 6.0';
    const script = `#!/bin/sh\ncase "$*" in -version) ${version};; *) echo $$ >> '${dir}/pids'; exec sleep 60;; esac\n`;
    writeFileSync(ffmpeg, script, { mode: 0o755 });
    const run = train(stuck, { FFMPEG_PATH: ffmpeg });
    await run.until(() => lines(join(dir, 'pids')).length > 0);
    run.child.kill('SIGTERM');
    await run.until(() => run.stderr().includes('again to stop at once'));
    run.child.kill('SIGTERM');
    expect(await run.exit, run.stderr()).toBe(130);
    expect((await loadLatestCheckpoint(join(dir, 'stuck/checkpoints/run'))).latest).toBeUndefined();
  });
});
