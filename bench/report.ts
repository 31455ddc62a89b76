/** What `npm run bench` writes: one row for each comparison, and what it ran on. */
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { dirname } from 'node:path';
import { writeFileAtomic } from '../src/base/atomic-file.js';
import { packageRoot } from '../src/base/package-root.js';

export interface Row {
  readonly name: string;
  readonly ours: number;
  readonly peer: number;
  readonly peerName: string;
  readonly unit: string;
  /** Above 1: ours is better. */
  readonly ratio: number;
  readonly note?: string;
}

/** Whether a large value is good (a speed) or a small one (a time, memory). */
export type Better = 'higher' | 'lower';

const SIGNIFICANT_DIGITS = 4;
const rounded = (value: number) => Number(value.toPrecision(SIGNIFICANT_DIGITS));

export function row(better: Better, fields: Omit<Row, 'ratio'>): Row {
  const { name, ours, peer, peerName, unit, note } = fields;
  const ratio = rounded(better === 'higher' ? ours / peer : peer / ours);
  const values = { name, ours: rounded(ours), peer: rounded(peer), peerName, unit, ratio };
  return note === undefined ? values : { ...values, note };
}

/** What every suite gets. */
export interface BenchContext {
  readonly threads: number;
  /** Fewer repeats and smaller sizes: shows the path, not the figures. */
  readonly quick: boolean;
  /** Undefined where no Python with torch was found. */
  readonly python: string | undefined;
  /** Whether the row is asked for; ask before the work. */
  readonly wants: (name: string) => boolean;
  readonly add: (row: Row) => void;
  /** Adds what was compared against to the report. */
  readonly peer: (name: string, version: string) => void;
}

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, {
      cwd: packageRoot(),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return '';
  }
}

export function commitName(): string {
  const hash = git('rev-parse', '--short=12', 'HEAD') || 'unknown';
  // The results themselves change with every run and say nothing of the code.
  const changed = git('status', '--porcelain', '--', 'src', 'bench', ':!bench/results') !== '';
  return changed ? `${hash}, with uncommitted changes` : hash;
}

export function machine(): { machine: string; cpu: string; cores: number; node: string } {
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  return {
    machine: `${type()} ${release()}, ${process.arch}, ${gibibytes} GiB of memory`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    node: process.version,
  };
}

export function formatRow({ name, ours, peer, peerName, unit, ratio, note }: Row): string {
  const figures = `${String(ours).padStart(9)} ${String(peer).padStart(9)} ${unit.padEnd(8)}`;
  return `${ratio.toFixed(2).padStart(7)} x ${figures} ${name.padEnd(46)} ${peerName}${note === undefined ? '' : `; ${note}`}`;
}

export async function writeReport(path: string, report: Record<string, unknown>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomic(path, `${JSON.stringify(report, null, 2)}\n`);
}
