/** What a run ran on: env.json, so that a result can be read years later. */
import { execFile } from 'node:child_process';
import { availableParallelism, cpus, release } from 'node:os';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { NativeBackend } from '../../backend/native-backend.js';
import type { ChosenBackend } from '../../backend/select.js';
import { packageRoot, packageVersion } from '../../base/package-root.js';
import { processorBytes } from './memory-use.js';
import type { Environment } from './run-events.js';

export async function runEnvironment(chosen: ChosenBackend, ranks: number): Promise<Environment> {
  const [processor] = cpus();
  return {
    version: packageVersion(),
    commandLine: process.argv.slice(1),
    folder: resolve('.'),
    git: await gitState(packageRoot()),
    node: process.version,
    platform: `${process.platform} ${process.arch} ${release()}`,
    cpu: { model: processor?.model.trim() ?? '', cores: cpus().length, usable: availableParallelism() },
    memoryBytes: processorBytes(),
    ...{ backend: chosen.name, device: chosen.device ?? null, precision: precision(), reason: chosen.reason },
    gemm: gemm(),
    ranks,
  };
}

function precision(): string {
  const backend: unknown = tf.backend();
  return backend instanceof NativeBackend && backend.workStorage === 'bf16' ? 'bf16' : 'fp32';
}

function gemm(): string | null {
  const backend: unknown = tf.backend();
  if (!(backend instanceof NativeBackend) || !('gemmChoice' in backend.device)) return null;
  const choice: unknown = backend.device.gemmChoice;
  if (typeof choice !== 'object' || choice === null || !('library' in choice) || !('reason' in choice)) return null;
  return `${String(choice.library)}: ${String(choice.reason)}`;
}

async function gitState(folder: string): Promise<Environment['git']> {
  const git = async (...words: string[]) => {
    const { stdout } = await promisify(execFile)('git', ['-C', folder, ...words], { timeout: 5000 });
    return stdout.trim();
  };
  try {
    // An installed package may lie in a repository that has nothing to do with it.
    if (resolve(await git('rev-parse', '--show-toplevel')) !== resolve(folder)) return null;
    const commit = await git('rev-parse', 'HEAD');
    return { commit, changed: (await git('status', '--porcelain', '--untracked-files=no')) !== '' };
  } catch {
    return null;
  }
}
