/** One opened file of weights, of any format, and the source that one or several of them make together. */
import { CheckpointError } from '../../base/errors.js';
import { nearest } from '../../base/nearest.js';
import type { RangedFile } from './ranged-file.js';
import type { TensorInfo } from './safetensors-header.js';
import type { FilePlace, SourceTensor, WeightSource } from './source.js';

export interface WeightFile {
  readonly file: RangedFile;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** What a reader of the file should know, in sentences. */
  readonly notes: readonly string[];
}

interface Located extends SourceTensor {
  readonly source: RangedFile;
  readonly position: number;
}

export class FileWeightSource implements WeightSource {
  readonly tensors: ReadonlyMap<string, SourceTensor>;
  private readonly located = new Map<string, Located>();

  /** @param files whose tensor names differ; the source closes them */
  constructor(
    readonly path: string,
    private readonly files: readonly WeightFile[],
    readonly notes: readonly string[] = files.flatMap((file) => file.notes),
  ) {
    for (const { file, tensors } of files) {
      for (const [name, { dtype, shape, byteLength, byteOffset }] of tensors) {
        const at = { source: file, position: byteOffset };
        this.located.set(name, { name, dtype, shape, byteLength, file: file.path, ...at });
      }
    }
    this.tensors = this.located;
  }

  async readInto(name: string, out: Uint8Array, byteOffset: number): Promise<void> {
    const tensor = this.located.get(name);
    if (tensor === undefined) {
      const close = nearest(name, this.located.keys());
      const message = `${this.path}: no tensor named ${JSON.stringify(name)} among its ${this.located.size}.`;
      throw new CheckpointError(
        'E_WEIGHTS_NO_TENSOR',
        message,
        close === undefined ? {} : { hint: `Nearest: ${close}` },
      );
    }
    if (!(byteOffset >= 0 && byteOffset + out.length <= tensor.byteLength)) {
      const range = `bytes ${byteOffset} to ${byteOffset + out.length}`;
      const message = `${tensor.file}: ${range} of tensor ${name} were asked for, it has ${tensor.byteLength}.`;
      throw new CheckpointError('E_WEIGHTS_RANGE', message);
    }
    await tensor.source.readInto(out, tensor.position + byteOffset);
  }

  locate(name: string): FilePlace | undefined {
    const tensor = this.located.get(name);
    return tensor === undefined ? undefined : { fd: tensor.source.fd, position: tensor.position };
  }

  async close(): Promise<void> {
    await Promise.all(this.files.map(({ file }) => file.close()));
  }
}
