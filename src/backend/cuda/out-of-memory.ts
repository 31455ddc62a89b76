/** The error for a full GPU: what is largest, who made it, and the change that costs least. */
import { BackendError } from '../../base/errors.js';
import { formatBytes } from '../../base/format.js';
import type { LiveTensor } from './allocation-table.js';

export interface MemoryState {
  readonly requestedBytes: number;
  readonly device: string;
  readonly liveBytes: number;
  readonly cachedBytes: number;
  /** Of the GPU, all processes together. */
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Largest first. */
  readonly tensors: readonly LiveTensor[];
}

const NAMED = 5;
/** As many buffers of one size and origin as a deep model has blocks. */
const MANY = 6;
/** A last dimension of this size is a vocabulary. */
const VOCABULARY = 16384;
/** What the driver and the libraries take for themselves. */
const CONTEXT_BYTES = 2 ** 30;

type Kind = 'weights' | 'optimizer' | 'logits' | 'scores' | 'activations';

function kindOf({ madeBy, shape }: LiveTensor): Kind {
  if (madeBy === 'host') return 'weights';
  if (madeBy === 'adamw') return 'optimizer';
  if (madeBy.startsWith('attention scores')) return 'scores';
  if (madeBy.startsWith('cross_entropy') || (shape?.at(-1) ?? 0) >= VOCABULARY) return 'logits';
  return 'activations';
}

/** Buffers of equal size and origin are one line: `32 x 128 MiB`. */
function grouped(tensors: readonly LiveTensor[]): { tensor: LiveTensor; count: number; bytes: number }[] {
  const groups = new Map<string, { tensor: LiveTensor; count: number; bytes: number }>();
  for (const tensor of tensors) {
    const key = `${tensor.bytes} ${tensor.madeBy} ${tensor.shape ?? ''}`;
    const group = groups.get(key) ?? { tensor, count: 0, bytes: 0 };
    groups.set(key, { tensor, count: group.count + 1, bytes: group.bytes + tensor.bytes });
  }
  return [...groups.values()].sort((a, b) => b.bytes - a.bytes);
}

/** The change that frees the most for the least, judged by what kind of tensor holds most of the memory. */
export function cheapestChange(state: MemoryState): string {
  const { tensors, totalBytes, freeBytes, liveBytes, cachedBytes, requestedBytes } = state;
  const others = totalBytes - freeBytes - liveBytes - cachedBytes - CONTEXT_BYTES;
  if (others > requestedBytes) return `other processes hold ${formatBytes(others)} of this GPU: stop them (nvidia-smi)`;
  const bytes = new Map<Kind, number>();
  for (const tensor of tensors) bytes.set(kindOf(tensor), (bytes.get(kindOf(tensor)) ?? 0) + tensor.bytes);
  const [largest] = [...bytes].sort((a, b) => b[1] - a[1]);
  const kind = largest?.[0] ?? 'activations';
  const ofKind = tensors.filter((tensor) => kindOf(tensor) === kind);
  const inFp32 = ofKind[0]?.storage === 'f32';
  switch (kind) {
    case 'weights':
      return inFp32
        ? 'most of it are weights in fp32: --precision bf16 halves them'
        : 'most of it are weights: use a GPU with more memory or a smaller model';
    case 'optimizer':
      return 'most of it is optimizer state: train fewer parts (train.parts), LoRA instead of whole weights';
    case 'logits':
      return 'most of it are logits: a smaller train.batchSize or train.maxLength';
    case 'scores':
      return 'most of it are attention scores, kept only in fp32 or for odd head dims: --precision bf16 needs none';
    case 'activations':
      if ((grouped(ofKind)[0]?.count ?? 0) >= MANY) {
        return 'the activations of many blocks are kept: train.gradientCheckpointing=true keeps one block';
      }
      if (inFp32) return 'activations are in fp32: --precision bf16 halves them';
      return (ofKind[0]?.shape?.[0] ?? 2) > 1
        ? 'a smaller train.batchSize (with a larger train.accumulate the result is the same)'
        : 'a shorter train.maxLength, or fewer frames (model.spatial.numFrames)';
  }
}

function lineOf({ tensor, count, bytes }: { tensor: LiveTensor; count: number; bytes: number }): string {
  const size = count === 1 ? formatBytes(bytes) : `${count} x ${formatBytes(tensor.bytes)}`;
  const shape = tensor.shape === undefined ? '' : ` [${tensor.shape.join(', ')}]`;
  const storage = tensor.storage === undefined ? '' : ` ${tensor.storage}`;
  const origin = tensor.madeBy === 'host' ? 'copied from the host' : `made by ${tensor.madeBy}`;
  return `  ${size}${storage}${shape}, ${origin}`;
}

export function outOfMemory(state: MemoryState, cause?: unknown): BackendError {
  const { requestedBytes, device, liveBytes, cachedBytes, freeBytes, totalBytes, tensors } = state;
  const lines = grouped(tensors).slice(0, NAMED).map(lineOf);
  const message =
    `${device}: could not get ${formatBytes(requestedBytes)}: ${formatBytes(liveBytes)} are in use, ` +
    `${formatBytes(cachedBytes)} cached, ${formatBytes(freeBytes)} of ${formatBytes(totalBytes)} free`;
  return new BackendError(
    'E_OUT_OF_MEMORY',
    lines.length === 0 ? message : `${message}; largest:\n${lines.join('\n')}`,
    {
      hint: cheapestChange(state),
      context: { requestedBytes, liveBytes, cachedBytes, freeBytes, totalBytes },
      cause,
    },
  );
}
