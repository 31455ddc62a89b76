/**
 * LoRA linear: a frozen (or trained) map and its low-rank update, without elementwise passes: products scale and add up.
 *
 * Shapes: x [M, I], weight [O, I], a [R, I], b [O, R], h = scale * dropout(x) a^T [M, R].
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { FloatStorage } from '../device.js';
import type { NativeBackend } from '../native-backend.js';
import { launchDropout, withDropout } from './dropout.js';
import { commonStorage, input, type Kernel, numberAttr, registerTable, requireFloat, sizeOf } from './kernel.js';
import { SINGLE } from './product.js';
import { filled } from './unary.js';

/** Brings tensors to one storage: bf16 as soon as one of `deciding` is. Their addresses are valid during `use`. */
function inOneStorage<T>(
  backend: NativeBackend,
  deciding: readonly TensorInfo[],
  tensors: readonly TensorInfo[],
  use: (storage: FloatStorage, addresses: number[]) => T,
): T {
  requireFloat('MimicLora', ...tensors);
  const storage = commonStorage(backend, ...deciding);
  const converted = tensors.map((tensor) => backend.inStorage(tensor, storage));
  const result = use(
    storage,
    converted.map((tensor) => backend.address(tensor)),
  );
  for (const tensor of converted) backend.discard(tensor);
  return result;
}

const down: Kernel = (backend, inputs, attrs) => {
  const [x, a] = [input(inputs, 'x'), input(inputs, 'a')];
  const [m = 0, k = 0] = x.shape;
  const [n = 0] = a.shape;
  return inOneStorage(backend, [x, a], [x, a], (storage, [from = 0, atA = 0]) => {
    const h = backend.make([m, n], 'float32', storage);
    const shape = { storage, resultStorage: storage, transposeB: true, m, n, k, scale: numberAttr(attrs, 'scale') };
    withDropout(backend, storage, from, m * k, attrs, (dropped) =>
      backend.device.gemm({ ...SINGLE, ...shape, a: dropped, b: atA, c: backend.address(h) }),
    );
    return h;
  });
};

const loraLinear: Kernel = (backend, inputs) => {
  const [x, weight, h, up] = [input(inputs, 'x'), input(inputs, 'weight'), input(inputs, 'h'), input(inputs, 'b')];
  const { bias } = inputs;
  const [m = 0, k = 0] = x.shape;
  const [n = 0, rank = 0] = up.shape;
  return inOneStorage(
    backend,
    [x, weight],
    [x, weight, h, up],
    (storage, [atX = 0, atWeight = 0, atH = 0, atUp = 0]) => {
      const y = backend.make([m, n], 'float32', storage);
      const wideBias = bias === undefined ? undefined : backend.inStorage(bias, 'f32');
      const both = { ...SINGLE, storage, resultStorage: storage, transposeB: true, m, n, c: backend.address(y) };
      const atBias = wideBias === undefined ? 0 : backend.address(wideBias);
      backend.device.gemm({ ...both, k, a: atX, b: atWeight, bias: atBias });
      backend.device.gemm({ ...both, k: rank, a: atH, b: atUp, accumulate: true });
      if (wideBias !== undefined) backend.discard(wideBias);
      return y;
    },
  );
};

/** dh = scale * dy b: what reaches the narrow activation, its scale included. */
const gradDown: Kernel = (backend, inputs, attrs) => {
  const [dy, up] = [input(inputs, 'dy'), input(inputs, 'b')];
  const [m = 0, k = 0] = dy.shape;
  const [, n = 0] = up.shape;
  return inOneStorage(backend, [dy], [dy, up], (storage, [a = 0, b = 0]) => {
    const dh = backend.make([m, n], 'float32', storage);
    const scale = numberAttr(attrs, 'scale');
    const c = backend.address(dh);
    backend.device.gemm({ ...SINGLE, storage, resultStorage: storage, m, n, k, a, b, c, scale });
    return dh;
  });
};

/** dx = dropout(dh a) + dy weight; the second product adds to the first. */
const gradX: Kernel = (backend, inputs, attrs) => {
  const [dy, weight, dh, a] = [input(inputs, 'dy'), input(inputs, 'weight'), input(inputs, 'dh'), input(inputs, 'a')];
  const [m = 0, outputs = 0] = dy.shape;
  const [rank = 0, n = 0] = a.shape;
  return inOneStorage(backend, [dy, weight], [dy, weight, dh, a], (storage, [atDy = 0, atW = 0, atDh = 0, atA = 0]) => {
    const dx = backend.make([m, n], 'float32', storage);
    const c = backend.address(dx);
    const both = { ...SINGLE, storage, resultStorage: storage, m, n, c };
    backend.device.gemm({ ...both, k: rank, a: atDh, b: atA });
    if (numberAttr(attrs, 'rate') > 0) launchDropout(backend, storage, c, c, m * n, attrs);
    backend.device.gemm({ ...both, k: outputs, a: atDy, b: atW, accumulate: true });
    return dx;
  });
};

/** da [R, I] = dh^T dropout(x), f32 as every gradient of a parameter. */
const gradA: Kernel = (backend, inputs, attrs) => {
  const [dh, x] = [input(inputs, 'dh'), input(inputs, 'x')];
  const [k = 0, m = 0] = dh.shape;
  const [, n = 0] = x.shape;
  if (k === 0) return filled(backend, [m, n], 'float32', 0);
  return inOneStorage(backend, [dh, x], [dh, x], (storage, [a = 0, from = 0]) => {
    const da = backend.make([m, n], 'float32');
    withDropout(backend, storage, from, sizeOf(x.shape), attrs, (b) =>
      backend.device.gemm({
        ...SINGLE,
        ...{ storage, resultStorage: 'f32', transposeA: true, m, n, k, a, b, c: backend.address(da) },
      }),
    );
    return da;
  });
};

export function registerLora(backendName: string): void {
  registerTable(backendName, {
    MimicLoraDown: down,
    MimicLoraLinear: loraLinear,
    MimicLoraGradDown: gradDown,
    MimicLoraGradX: gradX,
    MimicLoraGradA: gradA,
  });
}
