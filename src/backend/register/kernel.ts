/** How a kernel is registered, and how it reads its inputs and attributes. */
import {
  type DataType,
  type NamedAttrMap,
  type NamedTensorInfoMap,
  registerKernel,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import { BackendError } from '../../base/errors.js';
import type { FloatStorage } from '../device.js';
import { NativeBackend } from '../native-backend.js';
import { bf16Name } from '../signatures.js';

export type Kernel = (
  backend: NativeBackend,
  inputs: NamedTensorInfoMap,
  attrs: NamedAttrMap,
) => TensorInfo | TensorInfo[];

/** Kernels by their TF.js name. */
export type KernelTable = Readonly<Record<string, Kernel>>;

const NO_ATTRS: NamedAttrMap = {};

/**
 * Registers kernels that choose their own way with bf16 storage.
 *
 * The rule for results: activations are bf16 as soon as one float input is (weights decide, data flows on); losses,
 * sums over many elements and gradients of parameters are f32.
 */
export function registerTable(backendName: string, table: KernelTable): void {
  for (const [kernelName, kernel] of Object.entries(table)) {
    registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, backend, attrs }) => {
        if (!(backend instanceof NativeBackend))
          throw new TypeError(`${kernelName}: the backend is not a NativeBackend`);
        return kernel(backend, inputs, attrs ?? NO_ATTRS);
      },
    });
  }
}

/** Registers kernels that know f32 only: bf16 inputs are widened first, and float results rounded back where one was. */
export function registerWidening(backendName: string, table: KernelTable): void {
  const widened = Object.entries(table).map(([name, kernel]): [string, Kernel] => [name, widening(kernel)]);
  registerTable(backendName, Object.fromEntries(widened));
}

function widening(kernel: Kernel): Kernel {
  return (backend, inputs, attrs) => {
    // TF.js passes an absent optional input as undefined, whatever its types say.
    const given: [string, TensorInfo][] = [];
    for (const [name, x] of Object.entries(inputs)) if (x !== undefined) given.push([name, x]);
    if (given.every(([, x]) => backend.storageOf(x) !== 'bf16')) return kernel(backend, inputs, attrs);
    const wide: NamedTensorInfoMap = {};
    for (const [name, x] of given) {
      wide[name] = isFloat(x) ? backend.inStorage(x, 'f32') : backend.share(x, x.shape);
    }
    const round = (y: TensorInfo) => (isFloat(y) ? replaced(backend, y, backend.inStorage(y, 'bf16')) : y);
    const result = kernel(backend, wide, attrs);
    for (const [name] of given) backend.discard(input(wide, name));
    return Array.isArray(result) ? result.map(round) : round(result);
  };
}

/** `next`, after letting go of what it replaces. */
export function replaced(backend: NativeBackend, old: TensorInfo, next: TensorInfo): TensorInfo {
  backend.discard(old);
  return next;
}

/** The name of a STORED_KERNEL's variant. */
export function variant(kernel: string, storage: FloatStorage): string {
  return storage === 'bf16' ? bf16Name(kernel) : kernel;
}

/** bf16 as soon as one of the float tensors is. */
export function commonStorage(backend: NativeBackend, ...tensors: readonly (TensorInfo | undefined)[]): FloatStorage {
  return tensors.some((x) => x !== undefined && backend.storageOf(x) === 'bf16') ? 'bf16' : 'f32';
}

export function input(inputs: NamedTensorInfoMap, name: string): TensorInfo {
  const tensor = inputs[name];
  if (tensor === undefined)
    throw new BackendError('E_KERNEL_INPUT', `kernel input ${name}: got none, expected a tensor`);
  return tensor;
}

/** The inputs of kernels that take a list (AddN, Concat, Pack). */
export function inputList(inputs: NamedTensorInfoMap): TensorInfo[] {
  return Object.values(inputs).filter((tensor) => tensor !== undefined);
}

function wrongAttr(attrs: NamedAttrMap, name: string, expected: string): BackendError {
  return new BackendError(
    'E_KERNEL_ATTRIBUTE',
    `kernel attribute ${name}: got ${String(attrs[name])}, expected ${expected}`,
  );
}

export function numberAttr(attrs: NamedAttrMap, name: string, fallback?: number): number {
  const value = attrs[name] ?? fallback;
  if (typeof value !== 'number') throw wrongAttr(attrs, name, 'a number');
  return value;
}

/** Absent means false. */
export function flagAttr(attrs: NamedAttrMap, name: string): boolean {
  return attrs[name] === true;
}

export function stringAttr(attrs: NamedAttrMap, name: string, fallback: string): string {
  const value = attrs[name] ?? fallback;
  if (typeof value !== 'string') throw wrongAttr(attrs, name, 'a string');
  return value;
}

/** A list of integers; a single one stands for a list of itself. */
export function intsAttr(attrs: NamedAttrMap, name: string): number[] {
  const value = attrs[name];
  if (typeof value === 'number') return [value];
  if (!Array.isArray(value)) throw wrongAttr(attrs, name, 'a list of integers');
  return value.map((item) => {
    if (typeof item !== 'number') throw wrongAttr(attrs, name, 'a list of integers');
    return item;
  });
}

/** The storage's dtype: bool is stored as int32. */
export function isFloat(x: TensorInfo): boolean {
  return x.dtype === 'float32';
}

export function requireFloat(kernel: string, ...tensors: readonly TensorInfo[]): void {
  for (const { dtype } of tensors) {
    if (dtype !== 'float32') {
      throw new BackendError('E_DTYPE_UNSUPPORTED', `native ${kernel}: got dtype ${dtype}, expected float32`);
    }
  }
}

export function dtypeAttr(attrs: NamedAttrMap, name: string, fallback: DataType): DataType {
  const value: unknown = attrs[name] ?? fallback;
  if (value === 'float32' || value === 'int32' || value === 'bool') return value;
  throw wrongAttr(attrs, name, 'float32, int32 or bool');
}

export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const length of shape) size *= length;
  return size;
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A negative axis counts from the end. */
export function axisOf(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
