/**
 * Where weights come from, whatever the files: one safetensors file, shards behind an index, or a PyTorch archive.
 *
 * A source names tensors and reads ranges of their bytes into memory that the caller chose, so that a tensor of any size
 * passes to the device in pieces.
 */
import type { SafetensorsDtype } from './dtype.js';

export interface SourceTensor {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Little-endian, row-major. */
  readonly byteLength: number;
  /** The file that holds it, for messages. */
  readonly file: string;
}

export interface WeightSource {
  /** The folder or file that was opened, for messages. */
  readonly path: string;
  readonly tensors: ReadonlyMap<string, SourceTensor>;
  /** What the user should be told about the files, in sentences: a size that does not add up, values passed over. */
  readonly notes?: readonly string[];
  /** Fills `out` with the tensor's bytes from `byteOffset` on. @throws CheckpointError for an absent name or a short file */
  readInto(name: string, out: Uint8Array, byteOffset: number): Promise<void>;
  /** Where a tensor lies in a file that could be mapped; sources that have no such file leave it out. */
  locate?(name: string): FilePlace | undefined;
  close(): Promise<void>;
}

export interface FilePlace {
  /** Open as long as the source is. */
  readonly fd: number;
  readonly position: number;
}

/**
 * Rows of a stored tensor along its first axis; a parameter is made of one or more of them, one below the other.
 * That is all that published layouts differ by: q, k and v apart or together, in thirds or by key/value group.
 */
export interface RowRange {
  readonly tensor: string;
  readonly start: number;
  readonly count: number;
}
