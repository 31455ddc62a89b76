/**
 * bf16 matrix products through cuBLASLt beside torch.matmul, and the ceiling: the best of either over all shapes.
 *
 * Shapes: squares, and the linears of the 8B model over 4096 tokens, forward (x W^T) and backward (dy W).
 */
import type { GemmProblem } from '../../../src/backend/device.js';
import { RandomMemory } from '../random.js';
import { type SectionContext, speedRow } from '../section.js';
import { interleavedOnGpu, onGpu } from '../timing.js';

interface Shape {
  readonly name: string;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeB: boolean;
}

const TOKENS = 4096;
const linear = (name: string, inputs: number, outputs: number): Shape[] => [
  { name: `${name}, forward`, m: TOKENS, n: outputs, k: inputs, transposeB: true },
  { name: `${name}, input gradient`, m: TOKENS, n: inputs, k: outputs, transposeB: false },
];
const square = (n: number): Shape => ({ name: 'square', m: n, n, k: n, transposeB: true });

const SHAPES: readonly Shape[] = [
  ...[2048, 4096, 8192, 16384].map(square),
  ...linear('wqkv', 4096, 6144),
  ...linear('wo', 4096, 4096),
  ...linear('w1', 4096, 14336),
  ...linear('w2', 14336, 4096),
  { name: 'output head', m: 1024, n: 92553, k: 4096, transposeB: true },
];
const QUICK_SHAPES: readonly Shape[] = [square(16), { name: 'linear', m: 8, n: 16, k: 24, transposeB: false }];

const teraflops = ({ m, n, k }: Shape, ms: number | undefined) =>
  ms === undefined ? undefined : (2 * m * n * k) / ms / 1e9;

async function measure({ gpu, torch, quick }: SectionContext, shape: Shape): Promise<(number | undefined)[]> {
  const { m, n, k, transposeB } = shape;
  const memory = new RandomMemory(gpu);
  try {
    const problem: GemmProblem = {
      ...{ storage: 'bf16', resultStorage: 'bf16', transposeA: false, transposeB, m, n, k },
      ...{
        a: memory.random(m * k, 'bf16'),
        b: memory.random(k * n, 'bf16', k ** -0.5),
        c: memory.empty(m * n, 'bf16'),
      },
      ...{ bias: 0, scale: 1, accumulate: false, activation: 'none', batch: 1, strideA: 0, strideB: 0, strideC: 0 },
    };
    const theirs = torch?.sample({ do: 'matmul', m, n, k, transposeB });
    const times = await interleavedOnGpu([onGpu(gpu, () => gpu.gemm(problem)), theirs], quick);
    return times.map((ms) => teraflops(shape, ms));
  } finally {
    memory.dispose();
  }
}

export async function gemm(context: SectionContext): Promise<void> {
  let best = 0;
  let ourBest = 0;
  for (const shape of context.quick ? QUICK_SHAPES : SHAPES) {
    const [ours = Number.NaN, peer] = await measure(context, shape);
    best = Math.max(best, ours, peer ?? 0);
    ourBest = Math.max(ourBest, ours);
    const name = `GEMM bf16 ${shape.m} x ${shape.n} x ${shape.k}, ${shape.name}`;
    context.add(speedRow({ name, ours, unit: 'TFLOP/s', peer, peerName: 'torch.matmul' }));
  }
  const peerName = `ceiling: the best of this sweep${context.torch === undefined ? ', ours alone' : ''}`;
  context.add(speedRow({ name: 'GEMM bf16, best', ours: ourBest, unit: 'TFLOP/s', peer: best, peerName }));
}
