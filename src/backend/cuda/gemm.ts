/** A GemmProblem as cuBLASLt products, with the few element kernels for what cuBLASLt does not do. */
import { type FloatStorage, type GemmProblem, STORAGE_BYTES } from '../device.js';
import { bf16Name } from '../signatures.js';
import type { CublasLt } from './cublaslt.js';
import type { Product } from './product.js';
import { type WorkQueue, withBuffer } from './work-queue.js';

function named(kernel: string, storage: FloatStorage): string {
  return storage === 'bf16' ? bf16Name(kernel) : kernel;
}

/** Written out: a spread of so many fields costs more than the call that follows. */
function productOf(p: GemmProblem): Product {
  return {
    storage: p.storage,
    resultStorage: p.resultStorage,
    transposeA: p.transposeA,
    transposeB: p.transposeB,
    m: p.m,
    n: p.n,
    k: p.k,
    a: p.a,
    b: p.b,
    c: p.c,
    ldA: p.transposeA ? p.m : p.k,
    ldB: p.transposeB ? p.k : p.n,
    ldC: p.n,
    bias: p.bias,
    scale: p.scale,
    accumulate: p.accumulate,
    batch: p.batch,
    strideA: p.strideA,
    strideB: p.strideB,
    strideC: p.strideC,
  };
}

/** cuBLASLt's bias has the storage of the result: an fp32 bias is rounded for a bf16 result, as PyTorch stores it. */
function withBias(queue: WorkQueue, p: GemmProblem, use: (p: GemmProblem) => void): void {
  if (p.bias === 0 || p.resultStorage === 'f32') {
    use(p);
    return;
  }
  withBuffer(queue, p.n * STORAGE_BYTES.bf16, (bias) => {
    queue.launch('f32_to_bf16', p.bias, bias, p.n);
    use({ ...p, bias });
  });
}

/** cuBLASLt has no bf16 result of fp32 operands: the product goes to fp32 and is rounded. */
function withResult(queue: WorkQueue, p: GemmProblem, use: (p: GemmProblem) => void): void {
  if (p.storage === 'bf16' || p.resultStorage === 'f32') {
    use(p);
    return;
  }
  const size = (p.batch - 1) * p.strideC + p.m * p.n;
  withBuffer(queue, size * STORAGE_BYTES.f32, (c) => {
    if (p.accumulate) queue.launch('bf16_to_f32', p.c, c, size);
    use({ ...p, c, resultStorage: 'f32' });
    queue.launch('f32_to_bf16', c, p.c, size);
  });
}

/** An empty sum is zero: one product with a row of zeros gives it, and still adds bias and C. */
function withInner(queue: WorkQueue, p: GemmProblem, use: (p: GemmProblem) => void): void {
  if (p.k > 0) {
    use(p);
    return;
  }
  const longest = Math.max(p.m, p.n);
  withBuffer(queue, longest * STORAGE_BYTES[p.storage], (zeros) => {
    queue.launch(named('fill', p.storage), zeros, longest, 0);
    use({ ...p, k: 1, a: zeros, b: zeros, strideA: 0, strideB: 0, transposeA: false, transposeB: false });
  });
}

/** cuBLASLt's GELU is the tanh one; ours is exact and runs afterwards, in place. */
function activate(queue: WorkQueue, p: GemmProblem): void {
  if (p.activation === 'none') return;
  const kernel = named('gelu', p.resultStorage);
  const size = p.m * p.n;
  if (p.batch === 1 || p.strideC === size) {
    queue.launch(kernel, p.c, p.c, p.batch * size);
    return;
  }
  for (let item = 0; item < p.batch; item++) {
    const c = p.c + item * p.strideC * STORAGE_BYTES[p.resultStorage];
    queue.launch(kernel, c, c, size);
  }
}

/** Queues C[batch, m, n] = activation(scale * op(A) op(B) (+ bias) (+ C)). */
export function queueGemm(queue: WorkQueue, lt: CublasLt, p: GemmProblem): void {
  if (p.m * p.n * p.batch === 0) return;
  withInner(queue, p, (whole) =>
    withResult(queue, whole, (wide) =>
      withBias(queue, wide, (ready) => {
        lt.multiply(productOf(ready));
        activate(queue, ready);
      }),
    ),
  );
}
