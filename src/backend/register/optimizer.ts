/** AdamW and the gradient norm's part. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { NativeBackend } from '../native-backend.js';
import {
  input,
  inputList,
  type Kernel,
  numberAttr,
  intsAttr as numbersAttr,
  registerTable,
  registerWidening,
  requireFloat,
  sizeOf,
} from './kernel.js';
import { sumAll } from './reduce.js';
import { summationChunk, withTable } from './tensor-table.js';

const WORD_BYTES = 4;

const adamW: Kernel = (backend, inputs, attrs) => {
  const state = [input(inputs, 'param'), input(inputs, 'grad'), input(inputs, 'm'), input(inputs, 'v')];
  requireFloat('MimicAdamW', ...state);
  const lr = numberAttr(attrs, 'lr');
  const beta1 = numberAttr(attrs, 'beta1');
  const beta2 = numberAttr(attrs, 'beta2');
  const step = numberAttr(attrs, 'step');
  const { shape } = input(inputs, 'param');
  const updated = [backend.make(shape, 'float32'), backend.make(shape, 'float32'), backend.make(shape, 'float32')];
  backend.device.launch(
    'adamw',
    ...state.map((tensor) => backend.address(tensor)),
    ...updated.map((tensor) => backend.address(tensor)),
    sizeOf(shape),
    beta1,
    beta2,
    1 - beta1,
    1 - beta2,
    numberAttr(attrs, 'eps'),
    1 - lr * numberAttr(attrs, 'weightDecay'),
    lr / (1 - beta1 ** step),
    1 / Math.sqrt(1 - beta2 ** step),
    numberAttr(attrs, 'gradScale', 1),
  );
  return updated;
};

const sumSquares: Kernel = (backend, inputs) => {
  const x = input(inputs, 'x');
  requireFloat('MimicSumSquares', x);
  const y = backend.make([], 'float32');
  sumAll(
    backend,
    'sum_squares_rows',
    backend.address(x),
    backend.address(y),
    sizeOf(x.shape),
    1,
    backend.floatStorage(x),
  );
  return y;
};

/** The sum of squares of each tensor [N], in two launches for all. */
const sumSquaresMany: Kernel = (backend, inputs) => {
  const tensors = inputList(inputs).map((x) => backend.inStorage(x, 'f32'));
  requireFloat('MimicSumSquaresMany', ...tensors);
  const y = backend.make([tensors.length], 'float32');
  const entries = tensors.map((x) => {
    const size = sizeOf(x.shape);
    return { size, chunk: summationChunk(size), addresses: [backend.address(x)] };
  });
  withTable(backend, entries, ({ address, rows, width }) =>
    backend.withScratch(Math.max(1, rows) * WORD_BYTES, (partial) => {
      backend.device.launch('sum_squares_many', address, partial, rows, tensors.length, width);
      backend.device.launch('sum_chunks', address, partial, backend.address(y), tensors.length, width);
    }),
  );
  for (const x of tensors) backend.discard(x);
  return y;
};

/** Where an updated tensor goes: into its own place when nobody else holds the data, else into new memory. */
function target(backend: NativeBackend, x: TensorInfo): TensorInfo {
  const isOwn = backend.refCount(x.dataId) === 1 && backend.storageOf(x) === 'f32';
  return isOwn ? backend.share(x, x.shape) : backend.make(x.shape, 'float32');
}

/** One launch for all: inputs param0, grad0, m0, v0, param1 ..; outputs all parameters, then all m, then all v. */
const adamWMany: Kernel = (backend, inputs, attrs) => {
  const [lr, weightDecay, step] = [
    numbersAttr(attrs, 'lr'),
    numbersAttr(attrs, 'weightDecay'),
    numbersAttr(attrs, 'step'),
  ];
  const [beta1, beta2] = [numberAttr(attrs, 'beta1'), numberAttr(attrs, 'beta2')];
  const indices = Array.from(lr.keys());
  const of = (name: string) => indices.map((i) => input(inputs, `${name}${i}`));
  const state = [of('param'), of('m'), of('v')];
  const updated = state.map((tensors) => tensors.map((x) => target(backend, x)));
  const given = [of('grad'), ...state].map((tensors) => tensors.map((x) => backend.inStorage(x, 'f32')));
  requireFloat('MimicAdamWMany', ...given.flat());
  const entries = indices.map((i) => {
    const addresses = [...given, ...updated].map((tensors) => addressAt(backend, tensors, i));
    const [rate = 0, decay = 0, count = 1] = [lr[i], weightDecay[i], step[i]];
    const floats = [1 - rate * decay, rate / (1 - beta1 ** count), 1 / Math.sqrt(1 - beta2 ** count)];
    return { size: sizeOf(input(inputs, `param${i}`).shape), addresses, floats };
  });
  const scalars = [beta1, beta2, 1 - beta1, 1 - beta2, numberAttr(attrs, 'eps'), numberAttr(attrs, 'gradScale')];
  withTable(backend, entries, ({ address, rows, tensors, width }) =>
    backend.device.launch('adamw_many', address, rows, tensors, width, ...scalars),
  );
  for (const x of given.flat()) backend.discard(x);
  return updated.flat();
};

function addressAt(backend: NativeBackend, tensors: readonly TensorInfo[], i: number): number {
  const tensor = tensors[i];
  if (tensor === undefined) throw new RangeError(`MimicAdamWMany: no tensor ${i} among ${tensors.length}`);
  return backend.address(tensor);
}

export function registerOptimizer(backendName: string): void {
  registerTable(backendName, {
    MimicSumSquares: sumSquares,
    MimicSumSquaresMany: sumSquaresMany,
    MimicAdamWMany: adamWMany,
  });
  registerWidening(backendName, { MimicAdamW: adamW });
}
