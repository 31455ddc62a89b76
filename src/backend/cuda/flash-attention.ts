/**
 * Launches of the tensor-core attention kernels (flash-*.cu), which keep no scores in memory. README.md beside this file
 * gives the sizes that the kernels' constants lead to.
 */
import { type AttentionGradProblem, type AttentionProblem, STORAGE_BYTES } from '../device.js';
import type { DeviceProperties } from './context.js';
import type { LaunchShape } from './launch.js';
import { type WorkQueue, withBuffer } from './work-queue.js';

/** Head dims that kernels exist for; others are padded inside. */
const DIMS = [32, 64, 96, 128] as const;
type Dim = (typeof DIMS)[number];
const LARGEST_DIM = 128;
/** Copies move 16 bytes: 8 numbers. */
const CHUNK = 8;
const ALIGNMENT_BYTES = 16;

/** Fewer queries than this: reading the keys is the work, and blocks share them out. */
const MOST_DECODE_QUERIES = 16;
const FORWARD_THREADS = 128;
const KEY_BLOCK = 64;
const BACKWARD_KEYS = 128;
const BACKWARD_STAGE = 32;
const ROW_KERNEL_WARPS = 8;
const COMBINE_WARPS = 4;
const MOST_ROW_BLOCKS = 2 ** 20;
const WARP = 32;
const DECODE = { threads: 128, warps: 4, rows: 16, keys: 16, stages: 2, mostSplits: 64, keysPerSplit: 256 } as const;

function dimOf({ headDim }: AttentionProblem): Dim {
  return DIMS.find((dim) => dim >= headDim) ?? LARGEST_DIM;
}

/** Whether the kernels take this problem; the addresses are those of all its bf16 tensors. */
export function flashTakes(p: AttentionProblem, addresses: readonly number[]): boolean {
  return (
    p.storage === 'bf16' &&
    p.headDim % CHUNK === 0 &&
    p.headDim <= LARGEST_DIM &&
    p.scale > 0 &&
    addresses.every((address) => address % ALIGNMENT_BYTES === 0)
  );
}

/** A warp a row; more rows than that are walked. */
function rowShape(rows: number, warps: number): LaunchShape {
  return { grid: Math.min(Math.ceil(rows / warps), MOST_ROW_BLOCKS), block: warps * WARP, sharedBytes: 0 };
}

function sizes(p: AttentionProblem): number[] {
  return [p.batch, p.queries, p.keys, p.capacity, p.heads, p.groups, p.headDim, p.causal ? 1 : 0, p.scale];
}

/**
 * More queries in a block read the keys less often, once there are blocks enough to fill the GPU twice. GPUs with 100 KB
 * of shared memory hold more of the small blocks.
 */
function forwardRows(p: AttentionProblem, { sm, multiprocessors }: DeviceProperties): 64 | 128 {
  if (sm === 86 || sm === 89) return 64;
  return p.batch * p.heads * Math.ceil(p.queries / 128) >= 2 * multiprocessors ? 128 : 64;
}

function forwardShape(p: AttentionProblem, rows: number): LaunchShape {
  return {
    grid: p.batch * p.heads * Math.ceil(p.queries / rows),
    block: FORWARD_THREADS,
    sharedBytes: (rows + 2 * KEY_BLOCK) * dimOf(p) * STORAGE_BYTES.bf16,
  };
}

/** Ranges of keys that a decode step is cut into: a function of shapes and GPU alone, so that a GPU repeats itself. */
export function decodeSplits(p: AttentionProblem, multiprocessors: number): number {
  const wanted = Math.ceil((2 * multiprocessors) / decodeBlocks(p));
  return Math.max(1, Math.min(wanted, DECODE.mostSplits, Math.ceil(p.keys / DECODE.keysPerSplit)));
}

function decodeBlocks(p: AttentionProblem): number {
  return p.batch * p.groups * Math.ceil((p.queries * (p.heads / p.groups)) / DECODE.rows);
}

function decodeSharedBytes(dim: Dim): number {
  const rowBytes = dim * STORAGE_BYTES.bf16;
  const ring = DECODE.stages * 2 * DECODE.keys * rowBytes;
  const sums = DECODE.rows * (dim * STORAGE_BYTES.f32 + 16);
  const statistics = DECODE.warps * DECODE.rows * 2 * STORAGE_BYTES.f32;
  return DECODE.warps * Math.max(ring, sums) + DECODE.rows * rowBytes + statistics;
}

function queueDecode(queue: WorkQueue, p: AttentionProblem, multiprocessors: number): void {
  const splits = decodeSplits(p, multiprocessors);
  const dim = dimOf(p);
  const shape = { grid: decodeBlocks(p) * splits, block: DECODE.threads, sharedBytes: decodeSharedBytes(dim) };
  const rows = p.batch * p.queries * p.heads;
  const queueParts = (partialO: number, partialLse: number) => {
    const addresses = [p.q, p.k, p.v, p.keyMask, p.keyCount, p.o, p.lse, partialO, partialLse];
    queue.launchShaped(`flash_decode_${dim}`, shape, ...addresses, ...sizes(p), splits);
  };
  if (splits === 1) {
    queueParts(0, 0);
    return;
  }
  withBuffer(queue, splits * rows * p.headDim * STORAGE_BYTES.f32, (partialO) =>
    withBuffer(queue, splits * rows * STORAGE_BYTES.f32, (partialLse) => {
      queueParts(partialO, partialLse);
      const combine = rowShape(rows, COMBINE_WARPS);
      const addresses = [partialO, partialLse, p.o, p.lse];
      queue.launchShaped('attention_combine_bf16', combine, ...addresses, rows, p.queries, p.heads, p.headDim, splits);
    }),
  );
}

/** Writes o and lse. There is at least one query and one key. */
export function queueFlashForward(queue: WorkQueue, p: AttentionProblem, properties: DeviceProperties): void {
  const { multiprocessors } = properties;
  if (p.queries <= MOST_DECODE_QUERIES) {
    queueDecode(queue, p, multiprocessors);
    return;
  }
  const rows = forwardRows(p, properties);
  const kernel = `flash_forward_${dimOf(p)}_rows${rows}`;
  queue.launchShaped(kernel, forwardShape(p, rows), p.q, p.k, p.v, p.keyMask, p.keyCount, p.o, p.lse, ...sizes(p));
}

/** delta[b, h, t] = sum over d of dy o, and lse in base 2, for the backward kernels. */
export function queueDelta(queue: WorkQueue, p: AttentionGradProblem, delta: number, lse2: number): void {
  const rows = p.batch * p.queries * p.heads;
  const shape = rowShape(rows, ROW_KERNEL_WARPS);
  const kernel = p.storage === 'bf16' ? 'attention_delta_bf16' : 'attention_delta';
  queue.launchShaped(kernel, shape, p.o, p.dy, p.lse, delta, lse2, rows, p.queries, p.heads, p.headDim);
}

function keysShape(p: AttentionProblem): LaunchShape {
  const dim = dimOf(p);
  const rowBytes = dim * STORAGE_BYTES.bf16;
  const stage = 2 * BACKWARD_STAGE * (rowBytes + STORAGE_BYTES.f32);
  return {
    grid: p.batch * p.groups * Math.ceil(p.capacity / BACKWARD_KEYS),
    block: dim <= 64 ? 128 : 256,
    sharedBytes: 2 * BACKWARD_KEYS * rowBytes + 2 * stage,
  };
}

function queriesShape(p: AttentionProblem): LaunchShape {
  const dim = dimOf(p);
  const rows = dim <= 64 ? 128 : 64;
  return {
    grid: p.batch * p.heads * Math.ceil(p.queries / rows),
    block: FORWARD_THREADS,
    sharedBytes: dim * STORAGE_BYTES.bf16 * (2 * rows + 2 * BACKWARD_STAGE),
  };
}

/** Writes dq, dk, dv from o and lse. */
export function queueFlashBackward(queue: WorkQueue, p: AttentionGradProblem): void {
  const dim = dimOf(p);
  const bytes = p.batch * p.heads * p.queries * STORAGE_BYTES.f32;
  withBuffer(queue, bytes, (delta) =>
    withBuffer(queue, bytes, (lse2) => {
      queueDelta(queue, p, delta, lse2);
      const inputs = [p.q, p.k, p.v, p.dy, p.keyMask, p.keyCount, delta, lse2];
      queue.launchShaped(`flash_backward_keys_${dim}`, keysShape(p), ...inputs, p.dk, p.dv, ...sizes(p));
      queue.launchShaped(`flash_backward_queries_${dim}`, queriesShape(p), ...inputs, p.dq, ...sizes(p));
    }),
  );
}
