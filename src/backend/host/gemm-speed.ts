/** How fast the two libraries multiply, for the choice between them. */
import { type GemmProblem, gemmFlops, type HostArray, STORAGE_BYTES } from '../device.js';

export interface GemmSpeed {
  readonly builtin: number;
  readonly openblas: number;
}

/** What is measured with, below the device's pool and counters. */
export interface GemmBench {
  alloc(bytes: number): number;
  free(address: number): void;
  write(address: number, values: HostArray): void;
  multiply(problem: GemmProblem): void;
  select(library: keyof GemmSpeed): void;
}

/** A layer's forward pass: about 5 ms of one core at 200 GFLOP/s. */
const [M, N, K] = [1024, 1024, 512];
const ROUNDS = 5;

/** GFLOP/s of each: the best of a few products, in turns, so that a busy moment of the machine hits both. */
export function measureGemm({ alloc, free, write, multiply, select }: GemmBench): GemmSpeed {
  const operand = (size: number): number => {
    const address = alloc(size * STORAGE_BYTES.f32);
    write(address, new Float32Array(size).fill(0.5));
    return address;
  };
  const [a, b, c] = [operand(M * K), operand(K * N), operand(M * N)];
  const problem: GemmProblem = {
    ...({ storage: 'f32', resultStorage: 'f32', activation: 'none' } as const),
    ...{ transposeA: false, transposeB: true, m: M, n: N, k: K, a, b, c, bias: 0, scale: 1, accumulate: false },
    ...{ batch: 1, strideA: 0, strideB: 0, strideC: 0 },
  };
  const best = { builtin: 0, openblas: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    for (const library of ['builtin', 'openblas'] as const) {
      select(library);
      const start = performance.now();
      multiply(problem);
      best[library] = Math.max(best[library], gemmFlops(problem) / (performance.now() - start) / 1e6);
    }
  }
  for (const address of [a, b, c]) free(address);
  return best;
}
