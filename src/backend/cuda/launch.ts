/**
 * Queues kernels. Parameters are packed into one block of C memory that is used again and again: the driver copies them
 * during the call, and an array made per launch would cost five times the call itself.
 */
import { address, alloc, free, view } from 'koffi';
import { BackendError } from '../../base/errors.js';
import type { ParameterType } from '../signatures.js';
import type { Context } from './context.js';
import { geometry, type WorkRule, workRule } from './launch-geometry.js';
import type { KernelFunction, Modules } from './modules.js';
import type { Stream } from './stream.js';

/** A launch whose sizes the caller knows: kernels without `n` or `rows`. */
export interface LaunchShape {
  readonly grid: number;
  readonly block: number;
  readonly sharedBytes: number;
}

const MAX_PARAMETERS = 64;
const SLOT_BYTES = 8;
const LOW_WORD = 2 ** 32;

interface Prepared {
  readonly fn: KernelFunction;
  readonly types: readonly ParameterType[];
  readonly rule: WorkRule;
}

export class Launcher {
  private readonly prepared = new Map<string, Prepared>();
  private readonly memory: unknown = alloc('uint8', 2 * MAX_PARAMETERS * SLOT_BYTES);
  private readonly table: number;
  private readonly words: Uint32Array;
  private readonly floats: Float32Array;

  constructor(
    private readonly context: Context,
    private readonly stream: Stream,
    private readonly modules: Modules,
  ) {
    const bytes = view(this.memory, 2 * MAX_PARAMETERS * SLOT_BYTES);
    this.words = new Uint32Array(bytes);
    this.floats = new Float32Array(bytes);
    // Every value has a slot of 8 bytes, so one table of addresses serves all signatures.
    const start = address(this.memory);
    const addresses = new BigUint64Array(bytes, MAX_PARAMETERS * SLOT_BYTES);
    for (let i = 0; i < MAX_PARAMETERS; i++) addresses[i] = start + BigInt(i * SLOT_BYTES);
    this.table = Number(start) + MAX_PARAMETERS * SLOT_BYTES;
  }

  /** @throws BackendError E_KERNEL_UNKNOWN, E_KERNEL_PARAMETERS, E_COMPILE_FAILED */
  launch(kernel: string, parameters: readonly number[]): void {
    const prepared = this.prepared.get(kernel) ?? this.prepare(kernel);
    if (prepared.rule.kind === 'explicit') {
      throw new BackendError(
        'E_KERNEL_PARAMETERS',
        `cuda: ${kernel} has no parameter n or rows: give its launch shape`,
      );
    }
    const { grid, block } = geometry(prepared.rule, parameters, this.context.properties);
    this.queue(prepared, grid, block, 0, parameters);
  }

  launchShaped(kernel: string, shape: LaunchShape, parameters: readonly number[]): void {
    const prepared = this.prepared.get(kernel) ?? this.prepare(kernel);
    prepared.fn.allowSharedBytes(shape.sharedBytes);
    this.queue(prepared, shape.grid, shape.block, shape.sharedBytes, parameters);
  }

  dispose(): void {
    free(this.memory);
    this.prepared.clear();
  }

  private prepare(kernel: string): Prepared {
    const fn = this.modules.get(kernel);
    const prepared = { fn, types: fn.signature.parameters, rule: workRule(fn.signature) };
    this.prepared.set(kernel, prepared);
    return prepared;
  }

  private queue({ fn, types }: Prepared, grid: number, block: number, shared: number, values: readonly number[]): void {
    if (values.length !== types.length || values.length > MAX_PARAMETERS) {
      const { name, parameterNames } = fn.signature;
      throw new BackendError(
        'E_KERNEL_PARAMETERS',
        `cuda: ${name} got ${values.length} parameters, expected ${types.length}: ${parameterNames.join(', ')}`,
      );
    }
    for (let i = 0; i < types.length; i++) this.put(i, types[i], values[i] ?? 0);
    const { driver } = this.context;
    const status = driver.calls.cuLaunchKernel(
      fn.handle,
      grid,
      1,
      1,
      block,
      1,
      1,
      shared,
      this.stream.handle,
      this.table,
      0,
    );
    if (status !== 0) {
      const shape = `grid ${grid}, block ${block}, shared ${shared} bytes`;
      throw driver.error(status, 'cuLaunchKernel', `launching ${fn.signature.name} (${shape})`);
    }
  }

  /** 64-bit integers as two words: exact below 2^53, without a BigInt. */
  private put(slot: number, type: ParameterType | undefined, value: number): void {
    const word = 2 * slot;
    if (type === 'float') {
      this.floats[word] = value;
    } else if (type === 'int32' || type === 'uint32') {
      this.words[word] = value;
    } else {
      const high = Math.floor(value / LOW_WORD);
      this.words[word] = value - high * LOW_WORD;
      this.words[word + 1] = high;
    }
  }
}
