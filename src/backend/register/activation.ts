/** Activations and softmax. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { NativeBackend } from '../native-backend.js';
import { input, type Kernel, registerTable, requireFloat, sizeOf } from './kernel.js';
import { map } from './unary.js';

const gelu: Kernel = (backend, inputs) => map(backend, 'gelu', input(inputs, 'x'), 'float32');

const geluGrad: Kernel = (backend, inputs) => {
  const dy = input(inputs, 'dy');
  const x = input(inputs, 'x');
  requireFloat('MimicGeluGrad', dy, x);
  const dx = backend.make(x.shape, 'float32');
  backend.device.launch('gelu_grad', backend.address(dy), backend.address(x), backend.address(dx), sizeOf(x.shape));
  return dx;
};

const swiGlu: Kernel = (backend, inputs) => {
  const gate = input(inputs, 'gate');
  const up = input(inputs, 'up');
  requireFloat('MimicSwiGlu', gate, up);
  const y = backend.make(gate.shape, 'float32');
  backend.device.launch('swiglu', backend.address(gate), backend.address(up), backend.address(y), sizeOf(gate.shape));
  return y;
};

const swiGluGrad: Kernel = (backend, inputs) => {
  const [dy, gate, up] = [input(inputs, 'dy'), input(inputs, 'gate'), input(inputs, 'up')];
  requireFloat('MimicSwiGluGrad', dy, gate, up);
  const dgate = backend.make(gate.shape, 'float32');
  const dup = backend.make(up.shape, 'float32');
  const addresses = [dy, gate, up, dgate, dup].map((tensor) => backend.address(tensor));
  backend.device.launch('swiglu_grad', ...addresses, sizeOf(gate.shape));
  return [dgate, dup];
};

function overRows(backend: NativeBackend, kernel: string, x: TensorInfo): TensorInfo {
  requireFloat(kernel, x);
  const cols = x.shape.at(-1) ?? 1;
  const y = backend.make(x.shape, 'float32');
  backend.device.launch(kernel, backend.address(x), backend.address(y), sizeOf(x.shape.slice(0, -1)), cols);
  return y;
}

export function registerActivation(backendName: string): void {
  registerTable(backendName, {
    MimicGelu: gelu,
    MimicGeluGrad: geluGrad,
    MimicSwiGlu: swiGlu,
    MimicSwiGluGrad: swiGluGrad,
    Softmax: (backend, inputs) => overRows(backend, 'softmax', input(inputs, 'logits')),
    LogSoftmax: (backend, inputs) => overRows(backend, 'log_softmax', input(inputs, 'logits')),
  });
}
