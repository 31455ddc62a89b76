/** Caches of keys and values, written in place. */
import { input, type Kernel, numberAttr, registerTable, requireFloat, sizeOf, variant } from './kernel.js';

/** Writes x [B, T, ..] into cache [B, capacity, ..] and gives the same data back as another tensor. */
const kvAppend: Kernel = (backend, inputs, attrs) => {
  const [cache, x] = [input(inputs, 'cache'), input(inputs, 'x')];
  requireFloat('MimicKvAppend', cache, x);
  const storage = backend.floatStorage(cache);
  const at = inputs['position'];
  const [batch = 0, time = 0, ...rest] = x.shape;
  const sizes = [batch * time, time, cache.shape[1] ?? 0, sizeOf(rest), numberAttr(attrs, 'position', 0)];
  backend.withStorage(x, storage, (stored) => {
    const from = backend.address(stored);
    const to = backend.address(cache);
    backend.device.launch(
      variant('kv_append', storage),
      from,
      to,
      at === undefined ? 0 : backend.address(at),
      ...sizes,
    );
  });
  return backend.share(cache, cache.shape);
};

/** The first `length` tokens with room for `capacity`, zeros behind them. */
const kvGrow: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'x');
  requireFloat('MimicKvGrow', x);
  const storage = backend.floatStorage(x);
  const [batch = 0, from = 0, ...rest] = x.shape;
  const [length, to] = [numberAttr(attrs, 'length'), numberAttr(attrs, 'capacity')];
  const y = backend.make([batch, to, ...rest], 'float32', storage);
  const sizes = [batch * to, length, from, to, sizeOf(rest)];
  backend.device.launch(variant('kv_grow', storage), backend.address(x), backend.address(y), ...sizes);
  return y;
};

export function registerCache(backendName: string): void {
  registerTable(backendName, { MimicKvAppend: kvAppend, MimicKvGrow: kvGrow });
}
