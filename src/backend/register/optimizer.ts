/** AdamW, the gradient norm's part, and dropout. */
import {
  input,
  type Kernel,
  numberAttr,
  registerTable,
  registerWidening,
  requireFloat,
  sizeOf,
  variant,
} from './kernel.js';
import { sumAll } from './reduce.js';

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

const WORDS_PER_BLOCK = 4;

const dropout: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'x');
  requireFloat('MimicDropout', x);
  const rate = numberAttr(attrs, 'rate');
  const storage = backend.floatStorage(x);
  const y = backend.make(x.shape, 'float32', storage);
  const size = sizeOf(x.shape);
  const blocks = Math.floor(size / WORDS_PER_BLOCK);
  const rest = size % WORDS_PER_BLOCK;
  const seed = numberAttr(attrs, 'seed') >>> 0;
  const threshold = Math.min(Math.ceil(rate * 2 ** 32), 2 ** 32 - 1);
  backend.device.launch(
    variant('dropout', storage),
    backend.address(x),
    backend.address(y),
    blocks,
    rest,
    seed,
    threshold,
    1 / (1 - rate),
  );
  return y;
};

export function registerOptimizer(backendName: string): void {
  registerTable(backendName, { MimicSumSquares: sumSquares, MimicDropout: dropout });
  registerWidening(backendName, { MimicAdamW: adamW });
}
