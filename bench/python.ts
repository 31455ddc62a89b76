/** Finds a Python that has torch, and runs the peers with it. */
import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../src/base/package-root.js';

const run = promisify(execFile);

export const peerScript = (file: string): string => join(packageRoot(), 'bench', 'peers', file);

export type Python = { readonly path: string; readonly versions: Record<string, string> } | { readonly reason: string };

const PROBE =
  'import json, sys, torch, safetensors; print(json.dumps({"python": sys.version.split()[0], "torch": torch.__version__}))';

/** MIMIC_BENCH_PYTHON, or the python3 of the path; either must import torch and safetensors. */
export async function findPython(): Promise<Python> {
  const given = process.env['MIMIC_BENCH_PYTHON'];
  const path = given ?? 'python3';
  try {
    const { stdout } = await run(path, ['-c', PROBE]);
    return { path, versions: JSON.parse(stdout) as Record<string, string> };
  } catch (error) {
    const why = error instanceof Error ? (error.message.trim().split('\n').at(-1) ?? error.message) : String(error);
    const hint = 'set MIMIC_BENCH_PYTHON to a python with torch and safetensors';
    return { reason: `no PyTorch in ${path} (${why}); ${hint}` };
  }
}

/** Runs a peer to its end with its output on ours. */
export async function runPython(path: string, file: string, args: readonly string[]): Promise<void> {
  const child = spawn(path, [peerScript(file), ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${file} ended with code ${code}`))));
  });
}
