/** Layer norm and RMS norm with their gradients. */
import type { NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { NativeBackend } from '../native-backend.js';
import { input, type Kernel, numberAttr, registerTable, requireFloat, sizeOf } from './kernel.js';
import { sumColumns } from './reduce.js';

/** Tokens whose parameter gradients one partial sum holds. Fixed: the order of summation must not depend on the machine. */
const CHUNK_TOKENS = 64;
const WORD_BYTES = 4;

/** A kernel of the form (inputs.., y, rows, cols, eps) whose output has the shape of `x`. */
function rowKernel(kernel: string, names: readonly string[]): Kernel {
  return (backend, inputs, attrs) => {
    const tensors = names.map((name) => input(inputs, name));
    requireFloat(kernel, ...tensors);
    const x = input(inputs, 'x');
    const cols = x.shape.at(-1) ?? 1;
    const y = backend.make(x.shape, 'float32');
    const addresses = tensors.map((tensor) => backend.address(tensor));
    const rows = sizeOf(x.shape.slice(0, -1));
    backend.device.launch(kernel, ...addresses, backend.address(y), rows, cols, numberAttr(attrs, 'eps'));
    return y;
  };
}

/** Gradients [C] of `count` parameters, first by chunks of tokens, then summed over the chunks. */
function parameterGradients(
  backend: NativeBackend,
  kernel: string,
  inputs: NamedTensorInfoMap,
  eps: number,
  count: number,
): [TensorInfo, ...TensorInfo[]] {
  const dy = input(inputs, 'dy');
  const x = input(inputs, 'x');
  requireFloat(kernel, dy, x);
  const cols = x.shape.at(-1) ?? 1;
  const tokens = sizeOf(x.shape.slice(0, -1));
  const chunks = Math.ceil(tokens / CHUNK_TOKENS);
  const make = () => backend.make([cols], 'float32');
  const grads: [TensorInfo, ...TensorInfo[]] = [make(), ...Array.from({ length: count - 1 }, make)];
  const bytes = Math.max(1, chunks * cols) * WORD_BYTES;
  backend.withScratch(bytes * count, (scratch) => {
    const partials = grads.map((_, i) => scratch + i * bytes);
    backend.device.launch(
      kernel,
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
    MimicLayerNorm: rowKernel('layer_norm', ['x', 'gamma', 'beta']),
    MimicLayerNormGradX: rowKernel('layer_norm_grad_x', ['dy', 'x', 'gamma']),
    MimicLayerNormGradParams: layerNormGradParams,
    MimicRmsNorm: rowKernel('rms_norm', ['x', 'gamma']),
    MimicRmsNormGradX: rowKernel('rms_norm_grad_x', ['dy', 'x', 'gamma']),
    MimicRmsNormGradGamma: rmsNormGradGamma,
  });
}
