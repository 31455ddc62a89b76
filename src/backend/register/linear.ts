/** Linear layers: products with bias and GELU, and their gradients. */
import { input, type Kernel, registerTable, sizeOf, variant } from './kernel.js';
import { matMul } from './matmul.js';

const linear: Kernel = (backend, inputs) =>
  matMul(backend, input(inputs, 'x'), input(inputs, 'weight'), {
    transposeA: false,
    transposeB: true,
    bias: inputs['bias'],
  });

const linearGelu: Kernel = (backend, inputs) =>
  matMul(backend, input(inputs, 'x'), input(inputs, 'weight'), {
    ...{ transposeA: false, transposeB: true, activation: 'gelu', bias: input(inputs, 'bias') },
  });

/** The gradient of what GELU was given, which is computed again; it overwrites it. */
const linearGeluGrad: Kernel = (backend, inputs, attrs) => {
  const z = linear(backend, inputs, attrs);
  if (Array.isArray(z)) throw new TypeError('MimicLinear: expected one output');
  const storage = backend.floatStorage(z);
  backend.withStorage(input(inputs, 'dy'), storage, (dy) =>
    backend.device.launch(
      variant('gelu_grad', storage),
      backend.address(dy),
      backend.address(z),
      backend.address(z),
      sizeOf(z.shape),
    ),
  );
  return z;
};

/** dW [O, I] = dy^T x, in f32 whatever the activations are stored in. */
const linearGradWeight: Kernel = (backend, inputs) =>
  matMul(backend, input(inputs, 'dy'), input(inputs, 'x'), {
    transposeA: true,
    transposeB: false,
    resultStorage: 'f32',
  });

export function registerLinear(backendName: string): void {
  registerTable(backendName, {
    MimicLinear: linear,
    MimicLinearGelu: linearGelu,
    MimicLinearGeluGrad: linearGeluGrad,
    MimicLinearGradWeight: linearGradWeight,
  });
}
