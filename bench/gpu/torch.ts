/** PyTorch on the same GPU, in a process of its own. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { peerScript } from '../python.js';
import { Worker } from '../worker.js';
import type { GpuSample } from './timing.js';

const PROBE =
  'import json, sys, torch; assert torch.cuda.is_available(), "torch sees no GPU"; ' +
  'print(json.dumps({"python": sys.version.split()[0], "torch": torch.__version__, "CUDA of torch": torch.version.cuda}))';

export type TorchFound =
  | { readonly path: string; readonly versions: Readonly<Record<string, string>> }
  | { readonly reason: string };

/** MIMIC_BENCH_PYTHON, or the python3 of the path; it must import torch, and torch must see a GPU. */
export async function findTorch(): Promise<TorchFound> {
  const path = process.env['MIMIC_BENCH_PYTHON'] ?? 'python3';
  try {
    const { stdout } = await promisify(execFile)(path, ['-c', PROBE], { timeout: 60_000 });
    return { path, versions: JSON.parse(stdout) as Record<string, string> };
  } catch (error) {
    const why = error instanceof Error ? (error.message.trim().split('\n').at(-1) ?? error.message) : String(error);
    return { reason: `no PyTorch with a GPU in ${path} (${why}); MIMIC_BENCH_PYTHON names another python` };
  }
}

/** What the worker is asked to time: bench/peers/gpu/worker.py has the list. */
export type TorchWork = Readonly<Record<string, string | number | boolean>>;

export class Torch {
  private constructor(private readonly worker: Worker) {}

  static async start(path: string, index: number): Promise<Torch> {
    return new Torch(await Worker.start(path, [peerScript('gpu/worker.py'), String(index)]));
  }

  /** The worker prepares the work at the first sample and frees what was prepared before. */
  sample(work: TorchWork): GpuSample {
    return async (repeats) => (await this.worker.ask({ ...work, repeats })).ms;
  }

  /** One long measurement, warm-up included; its memory stays until `free`. */
  async measure(work: TorchWork): Promise<{ readonly ms: number; readonly peakBytes: number; readonly loss: number }> {
    const { ms, peakBytes, value } = await this.worker.ask({ ...work, repeats: 1 });
    return { ms, peakBytes, loss: value };
  }

  /** Gives the GPU's memory back. */
  async free(): Promise<void> {
    await this.worker.ask({ do: 'free', repeats: 1 });
  }

  stop(): Promise<void> {
    return this.worker.stop();
  }
}
