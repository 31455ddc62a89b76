/**
 * Attention by matrix products and a softmax, a block of queries at a time: for fp32 storage and head dims that the flash
 * kernels do not take. Memory is a block's scores, whatever the number of queries.
 */
import {
  type AttentionGradProblem,
  type AttentionProblem,
  type FloatStorage,
  STORAGE_BYTES,
  type Storage,
} from '../device.js';
import { bf16Name } from '../signatures.js';
import type { CublasLt } from './cublaslt.js';
import { queueDelta } from './flash-attention.js';
import type { Product } from './product.js';
import { type WorkQueue, withBuffer } from './work-queue.js';

/** Scores of one block of queries of one item. */
const SCORES_BYTES = 64 * 2 ** 20;

interface Matrix {
  readonly address: number;
  readonly ld: number;
  /** Elements from one group to the next. */
  readonly stride: number;
}

/** What a block of queries [first, first + rows) of one item needs: sizes, and where its heads' matrices lie. */
class Block {
  private readonly tokenQ: number;
  private readonly tokenK: number;
  /** Query heads that share a key head. */
  readonly perGroup: number;

  constructor(
    private readonly p: AttentionProblem,
    private readonly item: number,
    readonly first: number,
    readonly rows: number,
  ) {
    this.tokenQ = p.heads * p.headDim;
    this.tokenK = p.groups * p.headDim;
    this.perGroup = p.heads / p.groups;
  }

  /** Heads `r`, `r + perGroup`, ... of a tensor like q: [rows, headDim] each. */
  query(address: number, r: number): Matrix {
    const { p } = this;
    const element = (this.item * p.queries + this.first) * this.tokenQ + r * p.headDim;
    return {
      address: address + element * STORAGE_BYTES[p.storage],
      ld: this.tokenQ,
      stride: this.perGroup * p.headDim,
    };
  }

  /** Every group of a tensor like k: [keys, headDim] each. */
  key(address: number, storage: FloatStorage = this.p.storage): Matrix {
    const element = this.item * this.p.capacity * this.tokenK;
    return { address: address + element * STORAGE_BYTES[storage], ld: this.tokenK, stride: this.p.headDim };
  }

  /** The same heads of scores [heads, rows, keys]. */
  scores(address: number, r: number, storage: FloatStorage): Matrix {
    const size = this.rows * this.p.keys;
    return { address: address + r * size * STORAGE_BYTES[storage], ld: this.p.keys, stride: this.perGroup * size };
  }

  /** Parameters of the softmax kernels behind their buffers. */
  softmaxParameters(): number[] {
    const { p } = this;
    const sizes = [p.heads * this.rows, p.heads, this.rows, this.first, p.queries, p.keys, p.capacity];
    return [this.keyMask, p.keyCount, ...sizes, p.causal ? 1 : 0, p.scale];
  }

  statistic(address: number): number {
    return address + this.item * this.p.heads * this.p.queries * STORAGE_BYTES.f32;
  }

  private get keyMask(): number {
    const { keyMask, capacity } = this.p;
    return keyMask === 0 ? 0 : keyMask + this.item * capacity * STORAGE_BYTES.i32;
  }
}

function rowsOfBlock({ queries, heads, keys }: AttentionProblem): number {
  return Math.max(1, Math.min(queries, Math.floor(SCORES_BYTES / (heads * keys * STORAGE_BYTES.f32))));
}

function blocksOf(p: AttentionProblem): Block[] {
  const rows = rowsOfBlock(p);
  const starts = Array.from({ length: Math.ceil(p.queries / rows) }, (_, i) => i * rows);
  const items = Array.from({ length: p.batch }, (_, item) => item);
  return items.flatMap((item) => starts.map((first) => new Block(p, item, first, Math.min(rows, p.queries - first))));
}

function named(kernel: string, storage: FloatStorage): string {
  return storage === 'bf16' ? bf16Name(kernel) : kernel;
}

export class SimpleAttention {
  constructor(
    private readonly queue: WorkQueue,
    private readonly lt: CublasLt,
  ) {}

  /** Writes o and lse. There is at least one query and one key. */
  forward(p: AttentionProblem): void {
    this.withScores(p, 'f32', (scores) =>
      this.withProbabilities(p, scores, (probabilities) => {
        for (const block of blocksOf(p)) {
          this.products(p, block, (r) => this.scores(p, block, r, p.q, p.k, scores));
          const kernel = named('attention_softmax', p.storage);
          const statistics = block.statistic(p.lse);
          const rows = block.softmaxParameters();
          this.queue.launch(kernel, scores, probabilities, statistics, ...rows);
          this.products(p, block, (r) => ({
            ...this.shape(p, block.rows, p.headDim, p.keys),
            ...operands(block.scores(probabilities, r, p.storage), block.key(p.v), block.query(p.o, r)),
          }));
        }
      }),
    );
  }

  /** Writes dq, dk and dv from o and lse. */
  backward(p: AttentionGradProblem): void {
    const bytes = p.batch * p.heads * p.queries * STORAGE_BYTES.f32;
    withBuffer(this.queue, bytes, (delta) => {
      withBuffer(this.queue, bytes, (lse2) => queueDelta(this.queue, p, delta, lse2));
      this.withSums(p, p.dk, (dk) =>
        this.withSums(p, p.dv, (dv) =>
          this.withScores(p, 'f32', (scores) =>
            this.withScores(p, 'f32', (dp) =>
              this.withProbabilities(p, dp, (probabilities) =>
                this.withProbabilities(p, scores, (ds) => {
                  for (const block of blocksOf(p)) {
                    this.backwardBlock(p, block, { scores, dp, probabilities, ds, dk, dv, delta });
                  }
                }),
              ),
            ),
          ),
        ),
      );
    });
  }

  private backwardBlock(p: AttentionGradProblem, block: Block, at: Readonly<Record<string, number>>): void {
    const { scores = 0, dp = 0, probabilities = 0, ds = 0, dk = 0, dv = 0, delta = 0 } = at;
    this.products(p, block, (r) => this.scores(p, block, r, p.q, p.k, scores));
    this.products(p, block, (r) => this.scores(p, block, r, p.dy, p.v, dp));
    const buffers = [scores, dp, probabilities, ds, block.statistic(p.lse), block.statistic(delta)];
    this.queue.launch(named('attention_softmax_grad', p.storage), ...buffers, ...block.softmaxParameters());
    this.products(p, block, (r) => ({
      ...this.shape(p, block.rows, p.headDim, p.keys),
      ...operands(block.scores(ds, r, p.storage), block.key(p.k), block.query(p.dq, r)),
    }));
    // Heads of a group and blocks of queries add up one after another, in fp32.
    const summed = (gradients: number, left: number, right: number) => (r: number) => ({
      ...this.shape(p, p.keys, p.headDim, block.rows),
      transposeA: true,
      resultStorage: 'f32' as const,
      accumulate: r > 0 || block.first > 0,
      ...operands(block.scores(left, r, p.storage), block.query(right, r), block.key(gradients, 'f32')),
    });
    this.products(p, block, summed(dk, ds, p.q));
    this.products(p, block, summed(dv, probabilities, p.dy));
  }

  /** One product for each head of a group, all groups together. */
  private products({ groups }: AttentionProblem, block: Block, product: (r: number) => Omit<Product, 'batch'>): void {
    for (let r = 0; r < block.perGroup; r++) this.lt.multiply({ ...product(r), batch: groups });
  }

  /** left right' without the scale, in fp32. */
  private scores(
    p: AttentionProblem,
    block: Block,
    r: number,
    left: number,
    right: number,
    to: number,
  ): Omit<Product, 'batch'> {
    return {
      ...this.shape(p, block.rows, p.keys, p.headDim),
      transposeB: true,
      resultStorage: 'f32',
      ...operands(block.query(left, r), block.key(right), block.scores(to, r, 'f32')),
    };
  }

  private shape(p: AttentionProblem, m: number, n: number, k: number) {
    const { storage } = p;
    const plain = { transposeA: false, transposeB: false, accumulate: false, bias: 0, scale: 1 };
    return { ...plain, storage, resultStorage: storage, m, n, k };
  }

  private withScores(p: AttentionProblem, storage: Storage, use: (address: number) => void): void {
    withBuffer(this.queue, p.heads * rowsOfBlock(p) * p.keys * STORAGE_BYTES[storage], (address) => {
      this.queue.label('attention scores');
      use(address);
    });
  }

  /** What the softmax writes: in place of its fp32 input, or bf16 of its own. */
  private withProbabilities(p: AttentionProblem, inPlace: number, use: (address: number) => void): void {
    if (p.storage === 'f32') use(inPlace);
    else this.withScores(p, p.storage, use);
  }

  /** fp32 sums for a gradient like k: itself, or a buffer that is rounded into it. Positions that hold no key get zeros. */
  private withSums(p: AttentionProblem, gradient: number, use: (address: number) => void): void {
    const size = p.batch * p.capacity * p.groups * p.headDim;
    const sum = (address: number) => {
      if (p.capacity > p.keys) this.queue.launch('fill', address, size, 0);
      use(address);
    };
    if (p.storage === 'f32') {
      sum(gradient);
      return;
    }
    withBuffer(this.queue, size * STORAGE_BYTES.f32, (address) => {
      sum(address);
      this.queue.launch('f32_to_bf16', address, gradient, size);
    });
  }
}

function operands(a: Matrix, b: Matrix, c: Matrix) {
  return {
    a: a.address,
    b: b.address,
    c: c.address,
    ldA: a.ld,
    ldB: b.ld,
    ldC: c.ld,
    strideA: a.stride,
    strideB: b.stride,
    strideC: c.stride,
  };
}
