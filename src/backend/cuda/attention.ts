/** Chooses how attention is computed: the flash kernels where they apply, matrix products with a softmax else. */
import { type AttentionGradProblem, type AttentionProblem, type FloatStorage, STORAGE_BYTES } from '../device.js';
import { bf16Name } from '../signatures.js';
import type { DeviceProperties } from './context.js';
import type { CublasLt } from './cublaslt.js';
import { flashTakes, queueFlashBackward, queueFlashForward } from './flash-attention.js';
import { SimpleAttention } from './simple-attention.js';
import type { WorkQueue } from './work-queue.js';

export class CudaAttention {
  private readonly simple: SimpleAttention;

  constructor(
    private readonly queue: WorkQueue,
    lt: CublasLt,
    private readonly properties: DeviceProperties,
  ) {
    this.simple = new SimpleAttention(queue, lt);
  }

  forward(p: AttentionProblem): void {
    const rows = p.batch * p.queries * p.heads;
    if (rows === 0) return;
    if (p.keys === 0) {
      this.fill(p.storage, p.o, rows * p.headDim, 0);
      this.fill('f32', p.lse, rows, Number.NEGATIVE_INFINITY);
      return;
    }
    if (flashTakes(p, [p.q, p.k, p.v, p.o])) queueFlashForward(this.queue, p, this.properties);
    else this.simple.forward(p);
  }

  backward(p: AttentionGradProblem): void {
    const querySize = p.batch * p.queries * p.heads * p.headDim;
    const keySize = p.batch * p.capacity * p.groups * p.headDim;
    if (querySize === 0 || p.keys === 0) {
      this.fill(p.storage, p.dq, querySize, 0);
      this.fill(p.storage, p.dk, keySize, 0);
      this.fill(p.storage, p.dv, keySize, 0);
      return;
    }
    if (flashTakes(p, [p.q, p.k, p.v, p.o, p.dy, p.dq, p.dk, p.dv])) queueFlashBackward(this.queue, p);
    else this.simple.backward(p);
  }

  private fill(storage: FloatStorage, address: number, size: number, value: number): void {
    if (size * STORAGE_BYTES[storage] === 0) return;
    this.queue.launch(storage === 'bf16' ? bf16Name('fill') : 'fill', address, size, value);
  }
}
