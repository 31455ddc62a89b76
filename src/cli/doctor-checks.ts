/** What the project uses of a machine, each found or with the way to get it. */
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BackendError, MimicError } from '../base/errors.js';
import { formatBytes } from '../base/format.js';
import { packageRoot } from '../base/package-root.js';

export interface Check {
  readonly name: string;
  /** 'missing' stops the work, 'note' does not; 'failed' is a self-test that gave wrong numbers. */
  readonly status: 'ok' | 'note' | 'missing' | 'failed';
  readonly found: string;
  /** How to mend it; absent when ok. */
  readonly fix?: string;
}

const MIN_NODE = [20, 19] as const;

/** First line a program prints about itself. Rejects when it cannot be run. */
async function versionLine(program: string, flag: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, [flag], { timeout: 10_000 });
  return stdout.split('\n')[0]?.trim() ?? '';
}

/** A part of the project that explains by itself, in an error, why it cannot work here. */
async function explained(name: string, find: () => Promise<string>): Promise<Check> {
  try {
    return { name, status: 'ok', found: await find() };
  } catch (error) {
    if (!(error instanceof MimicError)) throw error;
    const fix = error.hint === undefined ? {} : { fix: error.hint };
    return { name, status: 'missing', found: `${error.code}: ${error.message}`, ...fix };
  }
}

export function checkNode(version = process.versions.node): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const recent = major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1]);
  if (recent) return { name: 'Node', status: 'ok', found: version };
  const fix = `install Node ${MIN_NODE.join('.')} or newer from https://nodejs.org`;
  return { name: 'Node', status: 'missing', found: `${version}, too old`, fix };
}

export function checkMachine(): Check {
  const found = `${availableParallelism()} CPU cores, ${formatBytes(totalmem())} memory`;
  return { name: 'machine', status: 'ok', found };
}

export async function checkFfmpeg(): Promise<Check> {
  const { ffmpegBinary } = await import('../data/video/ffmpeg-binary.js');
  return explained('ffmpeg', async () => {
    const line = await versionLine(await ffmpegBinary(), '-version');
    return line.replace(/ Copyright.*/, '');
  });
}

/** A note only: without one the wasm backend is used. */
export async function checkCompiler(candidates = [process.env['CXX'], 'g++', 'clang++', 'c++']): Promise<Check> {
  const name = 'C++ compiler';
  for (const program of candidates) {
    if (!program) continue;
    const line = await versionLine(program, '--version').catch(() => undefined); // absent: the next one may be there
    if (line !== undefined) return { name, status: 'ok', found: `${program}: ${line}` };
  }
  const fix = 'install g++ or clang++ for the native backend; the slower wasm backend needs none';
  return { name, status: 'note', found: 'not on the PATH', fix };
}

/**
 * Starts the backend that a run without --backend would use, and multiplies two small matrices of integers with it:
 * exact in every precision, so any other result means a broken kernel.
 */
export function checkBackend(): Promise<Check> {
  return explained('backend', async () => {
    const { useBackend } = await import('../backend/select.js');
    const tf = await import('@tensorflow/tfjs-core');
    const { name, reason } = await useBackend();
    const product = tf.tidy(() => tf.matMul(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([5, 6, 7, 8], [2, 2])));
    const values = [...(await product.data())];
    product.dispose();
    if (values.join() !== '19,22,43,50') {
      throw new BackendError(
        'E_SELF_TEST',
        `${name}: [[1,2],[3,4]] x [[5,6],[7,8]] gave ${values}, expected 19,22,43,50`,
        {
          hint: 'run with --backend wasm, and report this with the output of mimic doctor --json',
        },
      );
    }
    return `${name} (${reason}), self-test passed`;
  });
}

/** A TF.js backend that a user may add; nothing needs it. */
export function checkOptionalPackage(name: string): Check {
  const require = createRequire(join(packageRoot(), 'package.json'));
  try {
    const { version } = require(`${name}/package.json`) as { version: string };
    return { name, status: 'ok', found: version };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    return { name, status: 'note', found: 'not installed (optional)', fix: `npm install ${name}@4.22` };
  }
}
