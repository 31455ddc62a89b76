/** Dropout: the mask is a function of the seed, so nothing of it is ever stored. */
import type { NamedAttrMap } from '@tensorflow/tfjs-core';
import { type FloatStorage, STORAGE_BYTES } from '../device.js';
import type { NativeBackend } from '../native-backend.js';
import { input, type Kernel, numberAttr, registerTable, requireFloat, sizeOf, variant } from './kernel.js';

const WORDS_PER_BLOCK = 4;

/** Reads `size` numbers at `from` and writes them at `to`, which may be the same place; attributes `rate` and `seed`. */
export function launchDropout(
  backend: NativeBackend,
  storage: FloatStorage,
  from: number,
  to: number,
  size: number,
  attrs: NamedAttrMap,
): void {
  const rate = numberAttr(attrs, 'rate');
  backend.device.launch(
    variant('dropout', storage),
    from,
    to,
    Math.floor(size / WORDS_PER_BLOCK),
    size % WORDS_PER_BLOCK,
    numberAttr(attrs, 'seed') >>> 0,
    Math.min(Math.ceil(rate * 2 ** 32), 2 ** 32 - 1),
    1 / (1 - rate),
  );
}

/** Runs `use` with dropout of the numbers at `x`: in scratch memory, or `x` itself where the rate is 0. */
export function withDropout<T>(
  backend: NativeBackend,
  storage: FloatStorage,
  x: number,
  size: number,
  attrs: NamedAttrMap,
  use: (x: number) => T,
): T {
  if (numberAttr(attrs, 'rate') === 0) return use(x);
  return backend.withScratch(size * STORAGE_BYTES[storage], (dropped) => {
    launchDropout(backend, storage, x, dropped, size, attrs);
    return use(dropped);
  });
}

const dropout: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'x');
  requireFloat('MimicDropout', x);
  const storage = backend.floatStorage(x);
  const y = backend.make(x.shape, 'float32', storage);
  launchDropout(backend, storage, backend.address(x), backend.address(y), sizeOf(x.shape), attrs);
  return y;
};

export function registerDropout(backendName: string): void {
  registerTable(backendName, { MimicDropout: dropout });
}
