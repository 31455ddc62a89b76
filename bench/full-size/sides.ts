/** The two sides of the benchmark, each a process of its own, so that its memory is its own. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../../src/base/package-root.js';
import type { Plan } from '../../src/plan/plan.js';

export type Precision = 'fp32' | 'bf16';

/** What a side says of its run. */
export interface SideResult {
  readonly seconds: Readonly<Record<string, number>>;
  readonly peakBytes: number;
  readonly tokens: number;
  readonly frames: number;
}

export interface OurResult extends SideResult {
  /** Id that stands for a visual token in transformers. */
  readonly imageToken: number;
  readonly letters: readonly number[];
  readonly choice: string;
  readonly probabilities: readonly number[];
}

export interface Run {
  readonly checkpoint: string;
  readonly precision: Precision;
  readonly threads: number;
  readonly repeats: number;
}

/** Files through which both compute from the same numbers. */
export interface SharedFiles {
  readonly inputs: string;
  readonly logits: string;
}

async function output(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(command, [...args], { stdio: ['ignore', 'pipe', 'inherit'], env });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
  if (code !== 0) throw new Error(`${command} ${args[0] ?? ''} ended with code ${String(code)}`);
  return text;
}

/** The line of JSON among whatever else was printed. */
function lastJson(text: string): unknown {
  return JSON.parse(
    text
      .trim()
      .split('\n')
      .findLast((line) => line.startsWith('{')) ?? '',
  );
}

export async function runOurs(run: Run, video: string, files?: SharedFiles): Promise<OurResult> {
  const worker = fileURLToPath(new URL('./worker.js', import.meta.url));
  const { checkpoint, precision, threads, repeats } = run;
  const shared = files === undefined ? [] : [files.inputs, files.logits];
  const args = [worker, checkpoint, video, precision, String(threads), String(repeats), ...shared];
  return lastJson(await output(process.execPath, args, process.env)) as OurResult;
}

/** transformers on the same ids and pixels. @param out receives result.json and result.safetensors */
export async function runPeer(
  run: Run & { readonly imageToken: number },
  python: string,
  files: SharedFiles,
  out: string,
): Promise<SideResult> {
  const { checkpoint, precision, threads, repeats } = run;
  const script = join(packageRoot(), 'tools', 'parity', 'full_1b.py');
  const args = [script, '--model', checkpoint, '--inputs', files.inputs, '--out', out, '--dtype', precision];
  args.push('--threads', String(threads), '--repeats', String(repeats), '--image-token', String(run.imageToken));
  await output(python, args, { ...process.env, OMP_NUM_THREADS: String(threads) });
  return JSON.parse(await readFile(`${out}.json`, 'utf8')) as SideResult;
}

/** `mimic plan` in a process of its own: it measures its own memory. */
export async function runPlan({ checkpoint, precision }: Run, video: string): Promise<Plan> {
  const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
  const words = ['plan', '--checkpoint', checkpoint, '--video', video, '--precision', precision, '--json', '--quiet'];
  const code = `import { main } from ${JSON.stringify(main)}; process.exitCode = await main(${JSON.stringify(words)});`;
  return lastJson(await output(process.execPath, ['--input-type=module', '-e', code], process.env)) as Plan;
}
