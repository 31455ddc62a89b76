/** Our built-in matrix product beside OpenBLAS (fp32) and PyTorch (bf16). */
import { type FloatStorage, type GemmProblem, gemmFlops, STORAGE_BYTES } from '../../src/backend/device.js';
import { HostDevice } from '../../src/backend/host/host-device.js';
import { Rng } from '../../src/base/rng.js';
import { interleaved, repeated, type Timing } from '../measure.js';
import { loadOpenBlas } from '../openblas.js';
import { peerScript } from '../python.js';
import { type BenchContext, row } from '../report.js';
import { Worker } from '../worker.js';

interface Shape {
  readonly what: string;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** What a transformer asks for: y = x W^T, dx = dy W, dW = dy^T x, and one token against a matrix. */
const FP32_SHAPES: readonly Shape[] = [
  { what: 'square', m: 512, n: 512, k: 512 },
  { what: 'square', m: 1024, n: 1024, k: 1024 },
  { what: 'square', m: 2048, n: 2048, k: 2048 },
  { what: 'square, B transposed', m: 1024, n: 1024, k: 1024, transposeB: true },
  { what: 'square, A transposed', m: 1024, n: 1024, k: 1024, transposeA: true },
  { what: 'narrow layer', m: 3072, n: 256, k: 96, transposeB: true },
  { what: 'layer', m: 1024, n: 1792, k: 512, transposeB: true },
  { what: 'layer', m: 2048, n: 3584, k: 1024, transposeB: true },
  { what: "layer's input gradient", m: 2048, n: 1024, k: 3584 },
  { what: 'adapter down', m: 1024, n: 16, k: 512, transposeB: true },
  { what: 'adapter up', m: 1024, n: 512, k: 16, transposeB: true },
  { what: "adapter's weight gradient", m: 16, n: 512, k: 1024, transposeA: true },
  { what: 'one token', m: 1, n: 4096, k: 4096, transposeB: true },
];

const BF16_SHAPES: readonly Shape[] = [
  { what: 'square, B transposed', m: 1024, n: 1024, k: 1024, transposeB: true },
  { what: 'layer', m: 2048, n: 3584, k: 1024, transposeB: true },
  { what: 'one token', m: 1, n: 4096, k: 4096, transposeB: true },
];

const TIMING: Timing = { repeats: 15, warmUp: 2 };
const QUICK: Timing = { repeats: 3, warmUp: 1 };

function nameOf(kind: string, { what, m, n, k, transposeA, transposeB }: Shape): string {
  return `gemm ${kind}: ${what}, ${m}x${k}${transposeA ? 'T' : ''} by ${k}x${n}${transposeB ? 'T' : ''}`;
}

/** Bits of bf16 by dropping the low half: rounding does not matter to a timing. */
function randomValues(size: number, storage: FloatStorage): Float32Array | Uint16Array {
  const rng = new Rng(1, size);
  const values = Float32Array.from({ length: size }, () => rng.uniform() - 0.5);
  return storage === 'f32' ? values : Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16);
}

/** Runs `use` on operands in device memory. */
async function withOperands(
  device: HostDevice,
  { m, n, k, transposeA = false, transposeB = false }: Shape,
  storage: FloatStorage,
  use: (problem: GemmProblem) => Promise<void>,
): Promise<void> {
  const bytes = STORAGE_BYTES[storage];
  const sizes = [m * k, k * n, m * n].map((count) => count * bytes);
  const [a = 0, b = 0, c = 0] = sizes.map((size) => device.alloc(size));
  device.write(a, randomValues(m * k, storage));
  device.write(b, randomValues(k * n, storage));
  const one = { batch: 1, strideA: 0, strideB: 0, strideC: 0, bias: 0, scale: 1, accumulate: false };
  const product = { transposeA, transposeB, m, n, k, a, b, c, activation: 'none' as const };
  try {
    await use({ ...one, ...product, storage, resultStorage: storage });
  } finally {
    for (const [i, address] of [a, b, c].entries()) device.free(address, sizes[i] ?? 0);
  }
}

const gigaflops = (problem: GemmProblem, ms: number) => gemmFlops(problem) / ms / 1e6;

async function fp32Rows(context: BenchContext, device: HostDevice): Promise<void> {
  const wanted = FP32_SHAPES.filter((shape) => context.wants(nameOf('fp32', shape)));
  if (wanted.length === 0) return;
  const openBlas = loadOpenBlas(context.threads);
  if ('reason' in openBlas) return console.log(`gemm fp32 left out: ${openBlas.reason}`);
  context.peer('OpenBLAS', openBlas.version);
  for (const shape of wanted) {
    await withOperands(device, shape, 'f32', async (problem) => {
      const { a, b, c } = problem;
      const [ours = 0, theirs = 0] = await interleaved(
        [repeated(() => device.gemm(problem)), repeated(() => openBlas.sgemm(problem, a, b, c))],
        context.quick ? QUICK : TIMING,
      );
      const speeds = { ours: gigaflops(problem, ours), peer: gigaflops(problem, theirs) };
      context.add(
        row('higher', { name: nameOf('fp32', shape), ...speeds, peerName: openBlas.version, unit: 'GFLOP/s' }),
      );
    });
  }
}

async function bf16Rows(context: BenchContext, device: HostDevice): Promise<void> {
  const wanted = BF16_SHAPES.filter((shape) => context.wants(nameOf('bf16', shape)));
  if (wanted.length === 0 || context.python === undefined) return;
  const torch = await Worker.start(context.python, [peerScript('matmul_worker.py'), String(context.threads)]);
  try {
    for (const shape of wanted) {
      await withOperands(device, shape, 'bf16', async (problem) => {
        const request = { do: 'matmul', ...shape };
        const theirSample = async () => (await torch.ask(request)).ms;
        const sides = [repeated(() => device.gemm(problem)), theirSample];
        const [ours = 0, theirs = 0] = await interleaved(sides, context.quick ? QUICK : TIMING);
        const speeds = { ours: gigaflops(problem, ours), peer: gigaflops(problem, theirs) };
        const peerName = 'PyTorch matmul, bf16';
        context.add(row('higher', { name: nameOf('bf16', shape), ...speeds, peerName, unit: 'GFLOP/s' }));
      });
    }
  } finally {
    await torch.stop();
  }
}

export async function gemmRows(context: BenchContext): Promise<void> {
  const device = await HostDevice.create({ threads: context.threads });
  try {
    await fp32Rows(context, device);
    await bf16Rows(context, device);
  } finally {
    device.dispose();
  }
}
