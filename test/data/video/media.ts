import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { MimicError } from '../../../src/base/errors.js';
import { type SamplingConfig, SamplingSchema } from '../../../src/data/video/sampling.js';

/** A temporary folder for a test file's media, removed at its end. */
export function mediaFolder(): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'mimic-media-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (name) => join(folder, name);
}

/** Runs ffmpeg to make a fixture. */
export function makeMedia(args: readonly string[], input?: Uint8Array): void {
  execFileSync('ffmpeg', ['-v', 'error', '-y', '-bitexact', ...args], { ...(input && { input }), stdio: 'pipe' });
}

const LEVEL_STEP = 3;

/** Grey level of frame n: 80 levels, 3 apart, so that a codec's rounding cannot turn one into another. */
export function levelOf(frame: number): number {
  return 8 + LEVEL_STEP * (frame % 80);
}

export function frameOfLevel(level: number): number {
  return Math.round((level - 8) / LEVEL_STEP);
}

/** A clip whose frame n is a flat grey of level `levelOf(n)`, in lossless H.264 unless `output` says otherwise. */
export function makeNumberedClip(
  path: string,
  { count, fps = 30, size = 64, filter = 'null' }: { count: number; fps?: number; size?: number; filter?: string },
  output: readonly string[] = [
    '-c:v',
    'libx264',
    '-qp',
    '0',
    '-bf',
    '2',
    '-pix_fmt',
    'yuv420p',
    '-movflags',
    '+faststart',
  ],
): void {
  const area = size * size;
  const raw = new Uint8Array(count * area);
  for (let frame = 0; frame < count; frame++) raw.fill(levelOf(frame), frame * area, (frame + 1) * area);
  const input = [
    '-f',
    'rawvideo',
    '-pix_fmt',
    'gray',
    '-s',
    `${size}x${size}`,
    '-framerate',
    String(fps),
    '-i',
    'pipe:0',
  ];
  makeMedia([...input, '-vf', filter, '-fps_mode', 'passthrough', ...output, path], raw);
}

export function sampling(overrides: Partial<SamplingConfig> = {}): SamplingConfig {
  return SamplingSchema.parse({ size: 16, ...overrides });
}

/** Awaits the refusal of `work` and returns it; anything but a typed error of this code fails the test. */
export async function refusal(work: Promise<unknown>, code: string): Promise<MimicError> {
  const error = await work.then(
    () => 'nothing was thrown',
    (reason: unknown) => reason,
  );
  if (!(error instanceof MimicError)) throw new Error(`expected ${code}, got ${String(error)}`, { cause: error });
  expect(error.code, error.message).toBe(code);
  expect(error.hint).toMatch(/\w/);
  return error;
}

/** The ffmpeg processes that the code under test starts, watched through a script that stands in for ffmpeg. */
export interface FfmpegWatch {
  /** Path of the stand-in. */
  readonly binary: string;
  /** Arguments of each start, in order. */
  starts(): string[];
  /** How many run now. */
  living(): number;
}

export function watchFfmpeg(media: (name: string) => string): FfmpegWatch {
  const log = media('ffmpeg.log');
  const binary = media('ffmpeg');
  const real = execFileSync('sh', ['-c', 'command -v ffmpeg'], { encoding: 'utf8' }).trim();
  writeFileSync(log, '');
  writeFileSync(binary, `#!/bin/sh\necho "$$ $*" >> '${log}'\nexec '${real}' "$@"\n`, { mode: 0o755 });
  process.env['FFMPEG_PATH'] = binary;
  const lines = () => readFileSync(log, 'utf8').split('\n').filter(Boolean);
  return {
    binary,
    starts: () => lines().map((line) => line.replace(/^\d+ /, '')),
    living: () => lines().filter((line) => isAlive(Number.parseInt(line, 10))).length,
  };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}
