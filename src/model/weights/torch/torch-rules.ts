/** What torch.save's globals mean, as data. */
import type { SafetensorsDtype } from '../dtype.js';
import {
  kindOf,
  PickleDict,
  PickleGlobal,
  PickleTuple,
  type PickleValue,
  StorageRef,
  TensorRef,
} from './pickle-values.js';
import type { PickleRules } from './unpickler.js';

type Fail = (reason: string) => Error;

/** Storage classes are the element types. Globals are spelled `module name`, so that no other split of a path is one. */
const STORAGES: ReadonlyMap<string, SafetensorsDtype> = new Map([
  ['torch FloatStorage', 'F32'],
  ['torch DoubleStorage', 'F64'],
  ['torch HalfStorage', 'F16'],
  ['torch BFloat16Storage', 'BF16'],
  ['torch LongStorage', 'I64'],
  ['torch IntStorage', 'I32'],
  ['torch ShortStorage', 'I16'],
  ['torch CharStorage', 'I8'],
  ['torch ByteStorage', 'U8'],
  ['torch BoolStorage', 'BOOL'],
]);

/** Values that mean nothing for the weights, such as the dtype of a configuration. */
const NAMES_ONLY = new Set(
  ['float32', 'float64', 'float16', 'bfloat16', 'int64', 'int32', 'int16', 'int8', 'uint8', 'bool'].map(
    (name) => `torch ${name}`,
  ),
);

const REDUCIBLE: ReadonlyMap<string, (args: readonly PickleValue[], fail: Fail) => PickleValue> = new Map([
  ['collections OrderedDict', orderedDict],
  ['torch._utils _rebuild_tensor_v2', rebuildTensor],
  ['torch._utils _rebuild_parameter', rebuildParameter],
  ['torch Size', size],
]);

const MAX_RANK = 64;

export const TORCH_RULES: PickleRules = {
  allows: ({ key }) => STORAGES.has(key) || NAMES_ONLY.has(key) || REDUCIBLE.has(key),
  reduce: (callee, args, fail) => {
    const apply = REDUCIBLE.get(callee.key);
    if (apply === undefined) throw fail(`it calls ${callee.path}`);
    return apply(args, fail);
  },
  persistent: storage,
};

function orderedDict(args: readonly PickleValue[], fail: Fail): PickleValue {
  if (args.length > 0) throw fail(`OrderedDict has ${args.length} arguments, expected none`);
  return new PickleDict();
}

function size(args: readonly PickleValue[], fail: Fail): PickleValue {
  const [items] = args;
  if (args.length !== 1 || !(items instanceof PickleTuple)) throw fail('torch.Size has no tuple');
  return items;
}

/** (storage, offset, size, stride, requires_grad, backward_hooks[, metadata]) */
function rebuildTensor(args: readonly PickleValue[], fail: Fail): PickleValue {
  const [from, offset, shape, strides] = args;
  if (args.length < 6 || args.length > 7 || !(from instanceof StorageRef)) throw fail('a tensor has no storage');
  if (!isCount(offset)) throw fail('a tensor has no offset into its storage');
  const dims = counts(shape);
  const steps = counts(strides);
  if (dims === undefined || steps === undefined || dims.length !== steps.length || dims.length > MAX_RANK) {
    throw fail('a tensor has no size and stride');
  }
  // Bounds in bigint: products of numbers from the file may pass 2^53.
  const isEmpty = dims.includes(0);
  const last = dims.reduce((at, dim, axis) => at + BigInt(dim - 1) * BigInt(steps[axis] ?? 0), BigInt(offset));
  if ((!isEmpty && last >= BigInt(from.elements)) || offset > from.elements) {
    throw fail(`a tensor [${dims}] reaches to element ${last} of a storage of ${from.elements}`);
  }
  return new TensorRef(from, offset, dims, steps);
}

/** (data, requires_grad, backward_hooks) */
function rebuildParameter(args: readonly PickleValue[], fail: Fail): PickleValue {
  const [tensor] = args;
  if (args.length !== 3 || !(tensor instanceof TensorRef)) throw fail('a parameter has no tensor');
  return tensor;
}

/** ('storage', storage class, key, location, number of elements) */
function storage(id: PickleValue, fail: Fail): PickleValue {
  const [tag, type, key, , elements] = id instanceof PickleTuple ? id.items : [];
  const dtype = isGlobal(type) ? STORAGES.get(type.key) : undefined;
  if (tag !== 'storage' || dtype === undefined || typeof key !== 'string' || !isCount(elements)) {
    throw fail(`a persistent id is no storage but a ${kindOf(id)}`);
  }
  return new StorageRef(dtype, key, elements);
}

function isGlobal(value: PickleValue | undefined): value is PickleGlobal {
  return value instanceof PickleGlobal;
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function counts(value: PickleValue | undefined): number[] | undefined {
  const items = value instanceof PickleTuple ? value.items : undefined;
  return items?.every(isCount) ? items.filter(isCount) : undefined;
}
