/** Layer norm and RMS norm with their gradients. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { NativeBackend } from '../native-backend.js';
import {
  commonStorage,
  input,
  type Kernel,
  numberAttr,
  registerTable,
  requireFloat,
  sizeOf,
  variant,
} from './kernel.js';
import { sumColumns } from './reduce.js';

/** Tokens whose parameter gradients one partial sum holds. Fixed: the order of summation must not depend on the machine. */
const CHUNK_TOKENS = 64;
const WORD_BYTES = 4;

/**
 * A kernel of the form (data.., vectors.., y, rows, cols, eps) whose output has the shape of its data. Data is
 * brought to one storage, vectors of C channels to f32.
 */
function rowKernel(kernel: string, data: readonly string[], vectors: readonly string[]): Kernel {
  return (backend, inputs, attrs) => {
    const rowData = data.map((name) => input(inputs, name));
    const [x = input(inputs, 'x')] = rowData;
    const storage = commonStorage(backend, ...rowData);
    requireFloat(kernel, ...rowData);
    const tensors = [
      ...rowData.map((tensor) => backend.inStorage(tensor, storage)),
      ...vectors.map((name) => backend.inStorage(input(inputs, name), 'f32')),
    ];
    const cols = x.shape.at(-1) ?? 1;
    const y = backend.make(x.shape, 'float32', storage);
    const addresses = tensors.map((tensor) => backend.address(tensor));
    const rows = sizeOf(x.shape.slice(0, -1));
    const eps = numberAttr(attrs, 'eps');
    backend.device.launch(variant(kernel, storage), ...addresses, backend.address(y), rows, cols, eps);
    for (const tensor of tensors) backend.discard(tensor);
    return y;
  };
}

/** s = x + r and its norm y, in one pass. */
const addRmsNorm: Kernel = (backend, inputs, attrs) => {
  const [x, r] = [input(inputs, 'x'), input(inputs, 'r')];
  requireFloat('MimicAddRmsNorm', x, r);
  const storage = commonStorage(backend, x, r);
  const given = [
    backend.inStorage(x, storage),
    backend.inStorage(r, storage),
    backend.inStorage(input(inputs, 'gamma'), 'f32'),
  ];
  const results = [backend.make(x.shape, 'float32', storage), backend.make(x.shape, 'float32', storage)];
  const addresses = [...given, ...results].map((tensor) => backend.address(tensor));
  const rows = sizeOf(x.shape.slice(0, -1));
  backend.device.launch(
    variant('add_rms_norm', storage),
    ...addresses,
    rows,
    x.shape.at(-1) ?? 1,
    numberAttr(attrs, 'eps'),
  );
  for (const tensor of given) backend.discard(tensor);
  return results;
};

/** f32 gradients [C] of `count` parameters, first by chunks of tokens, then summed over the chunks. */
function parameterGradients(
  backend: NativeBackend,
  kernel: string,
  inputs: NamedTensorInfoMap,
  eps: number,
  count: number,
): [TensorInfo, ...TensorInfo[]] {
  requireFloat(kernel, input(inputs, 'dy'), input(inputs, 'x'));
  const storage = commonStorage(backend, input(inputs, 'dy'), input(inputs, 'x'));
  const dy = backend.inStorage(input(inputs, 'dy'), storage);
  const x = backend.inStorage(input(inputs, 'x'), storage);
  const cols = x.shape.at(-1) ?? 1;
  const tokens = sizeOf(x.shape.slice(0, -1));
  const chunks = Math.ceil(tokens / CHUNK_TOKENS);
  const make = () => backend.make([cols], 'float32');
  const grads: [TensorInfo, ...TensorInfo[]] = [make(), ...Array.from({ length: count - 1 }, make)];
  const bytes = Math.max(1, chunks * cols) * WORD_BYTES;
  backend.withScratch(bytes * count, (scratch) => {
    const partials = grads.map((_, i) => scratch + i * bytes);
    backend.device.launch(
      variant(kernel, storage),
      backend.address(dy),
      backend.address(x),
      ...partials,
      chunks,
      CHUNK_TOKENS,
      tokens,
      cols,
      eps,
    );
    for (const [i, grad] of grads.entries()) {
      sumColumns(backend, partials[i] ?? 0, backend.address(grad), { outer: 1, length: chunks, inner: cols });
    }
  });
  backend.discard(dy);
  backend.discard(x);
  return grads;
}

const layerNormGradParams: Kernel = (backend, inputs, attrs) =>
  parameterGradients(backend, 'layer_norm_grad_params', inputs, numberAttr(attrs, 'eps'), 2);

const rmsNormGradGamma: Kernel = (backend, inputs, attrs) => {
  const [dgamma] = parameterGradients(backend, 'rms_norm_grad_gamma', inputs, numberAttr(attrs, 'eps'), 1);
  return dgamma;
};

export function registerNormalization(backendName: string): void {
  registerTable(backendName, {
    MimicLayerNorm: rowKernel('layer_norm', ['x'], ['gamma', 'beta']),
    MimicLayerNormGradX: rowKernel('layer_norm_grad_x', ['dy', 'x'], ['gamma']),
    MimicLayerNormGradParams: layerNormGradParams,
    MimicRmsNorm: rowKernel('rms_norm', ['x'], ['gamma']),
    MimicRmsNormGradX: rowKernel('rms_norm_grad_x', ['dy', 'x'], ['gamma']),
    MimicRmsNormGradGamma: rmsNormGradGamma,
    MimicAddRmsNorm: addRmsNorm,
    MimicAddRmsNormGrad: rowKernel('add_rms_norm_grad', ['ds', 'dy', 's'], ['gamma']),
  });
}
