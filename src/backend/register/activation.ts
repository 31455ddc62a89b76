/** Activations and softmax. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { NativeBackend } from '../native-backend.js';
import {
  commonStorage,
  input,
  type Kernel,
  registerTable,
  registerWidening,
  requireFloat,
  sizeOf,
  variant,
} from './kernel.js';

/** A kernel of the form (inputs.., outputs.., n); all tensors have one shape and one storage. */
function elementwise(kernel: string, names: readonly string[], outputs: number): Kernel {
  return (backend, inputs) => {
    const given = names.map((name) => input(inputs, name));
    requireFloat(kernel, ...given);
    const storage = commonStorage(backend, ...given);
    const tensors = given.map((tensor) => backend.inStorage(tensor, storage));
    const shape = given[0]?.shape ?? [];
    const results = Array.from({ length: outputs }, () => backend.make([...shape], 'float32', storage));
    const addresses = [...tensors, ...results].map((tensor) => backend.address(tensor));
    backend.device.launch(variant(kernel, storage), ...addresses, sizeOf(shape));
    for (const tensor of tensors) backend.discard(tensor);
    return results.length === 1 && results[0] !== undefined ? results[0] : results;
  };
}

function overRows(backend: NativeBackend, kernel: string, x: TensorInfo): TensorInfo {
  requireFloat(kernel, x);
  const cols = x.shape.at(-1) ?? 1;
  const y = backend.make(x.shape, 'float32');
  backend.device.launch(kernel, backend.address(x), backend.address(y), sizeOf(x.shape.slice(0, -1)), cols);
  return y;
}

export function registerActivation(backendName: string): void {
  registerTable(backendName, {
    MimicGelu: elementwise('gelu', ['x'], 1),
    MimicGeluGrad: elementwise('gelu_grad', ['dy', 'x'], 1),
    MimicSwiGlu: elementwise('swiglu', ['gate', 'up'], 1),
    MimicSwiGluGrad: elementwise('swiglu_grad', ['dy', 'gate', 'up'], 2),
  });
  registerWidening(backendName, {
    Softmax: (backend, inputs) => overRows(backend, 'softmax', input(inputs, 'logits')),
    LogSoftmax: (backend, inputs) => overRows(backend, 'log_softmax', input(inputs, 'logits')),
  });
}
