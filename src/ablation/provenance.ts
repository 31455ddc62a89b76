/** Where a figure comes from: the commit and the machine. */
import { execFile } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { promisify } from 'node:util';
import { formatBytes } from '../base/format.js';
import { packageRoot } from '../base/package-root.js';

/** Hash of the sources' commit, with `-dirty` where files differ from it; null outside a repository. */
export async function sourceCommit(): Promise<string | null> {
  const git = async (...args: string[]) =>
    (await promisify(execFile)('git', args, { cwd: packageRoot() })).stdout.trim();
  try {
    const hash = await git('rev-parse', '--short=12', 'HEAD');
    return (await git('status', '--porcelain', '--untracked-files=no')) === '' ? hash : `${hash}-dirty`;
  } catch {
    // An installed package has no repository, and a machine may have no git.
    return null;
  }
}

export function machineText(): string {
  const [first] = cpus();
  return `${first?.model.trim() ?? 'unknown processor'}, ${cpus().length} logical cores, ${formatBytes(totalmem())}, Node ${process.version}`;
}
