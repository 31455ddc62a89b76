/** Adaptive average pooling over three axes. */
import { input, intsAttr, type Kernel, registerTable, replaced, requireFloat, sizeOf, variant } from './kernel.js';

/** Cells of the output sum up in f32 and are rounded once. */
const pool: Kernel = (backend, inputs, attrs) => {
  const x = input(inputs, 'x');
  requireFloat('MimicAdaptiveAvgPool3d', x);
  const [batch = 0, time = 0, rows = 0, cols = 0, channels = 0] = x.shape;
  const out = intsAttr(attrs, 'outSize');
  const storage = backend.floatStorage(x);
  const y = backend.make([batch, ...out, channels], 'float32');
  const sizes = [batch * sizeOf(out), time, rows, cols, ...out, channels];
  backend.device.launch(variant('adaptive_pool', storage), backend.address(x), backend.address(y), ...sizes);
  return storage === 'f32' ? y : replaced(backend, y, backend.inStorage(y, storage));
};

const poolGrad: Kernel = (backend, inputs, attrs) => {
  const dy = input(inputs, 'dy');
  requireFloat('MimicAdaptiveAvgPool3dGrad', dy);
  const shape = intsAttr(attrs, 'inShape');
  const [batch = 0, time = 0, rows = 0, cols = 0, channels = 0] = shape;
  const storage = backend.floatStorage(dy);
  const dx = backend.make(shape, 'float32', storage);
  const sizes = [batch * time * rows * cols, time, rows, cols, ...dy.shape.slice(1, 4), channels];
  backend.device.launch(variant('adaptive_pool_grad', storage), backend.address(dy), backend.address(dx), ...sizes);
  return dx;
};

export function registerPool(backendName: string): void {
  registerTable(backendName, { MimicAdaptiveAvgPool3d: pool, MimicAdaptiveAvgPool3dGrad: poolGrad });
}
