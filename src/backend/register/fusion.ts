/** Gated fusion, one pass over the tokens each way. */
import type { NamedAttrMap, NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { FloatStorage } from '../device.js';
import type { NativeBackend } from '../native-backend.js';
import { commonStorage, input, type Kernel, numberAttr, registerTable, requireFloat, variant } from './kernel.js';
import { sumColumns } from './reduce.js';

/** Tokens that one partial sum holds. Fixed: the order of summation must not depend on the machine. */
const CHUNK_TOKENS = 64;
const WORD_BYTES = 4;

interface Gate {
  readonly storage: FloatStorage;
  readonly x: TensorInfo;
  readonly other: TensorInfo;
  /** x, other, wSelf, wOther, bias. */
  readonly addresses: readonly number[];
  readonly wOther: number;
  /** rows, tokens, cols, gain: the kernels' last parameters. */
  readonly sizes: readonly [number, number, number, number];
  readonly batch: number;
}

/** Runs `use` with the tokens and the mean in one storage, the weights in f32. */
function withGate<T>(
  backend: NativeBackend,
  inputs: NamedTensorInfoMap,
  attrs: NamedAttrMap,
  use: (gate: Gate) => T,
): T {
  const given = [input(inputs, 'x'), input(inputs, 'otherMean')] as const;
  const weights = [input(inputs, 'wSelf'), input(inputs, 'wOther'), input(inputs, 'bias')];
  requireFloat('MimicGatedFusion', ...given, ...weights);
  const storage = commonStorage(backend, ...given);
  const [x, other] = [backend.inStorage(given[0], storage), backend.inStorage(given[1], storage)];
  const vectors = weights.map((weight) => backend.inStorage(weight, 'f32'));
  const addresses = [x, other, ...vectors].map((tensor) => backend.address(tensor));
  const [batch = 0, tokens = 0, cols = 0] = x.shape;
  const sizes = [batch * tokens, Math.max(1, tokens), cols, numberAttr(attrs, 'gain')] as const;
  const result = use({ storage, x, other, addresses, wOther: addresses[3] ?? 0, sizes, batch });
  for (const tensor of [x, other, ...vectors]) backend.discard(tensor);
  return result;
}

const gatedFusion: Kernel = (backend, inputs, attrs) =>
  withGate(backend, inputs, attrs, ({ storage, x, addresses, sizes }) => {
    const y = backend.make(x.shape, 'float32', storage);
    backend.device.launch(variant('gated_fusion', storage), ...addresses, backend.address(y), ...sizes);
    return y;
  });

/** f32 [C]: the rows of x [rows, C] summed with one factor each. */
function weightedSum(backend: NativeBackend, factor: number, x: TensorInfo, rows: number, cols: number): TensorInfo {
  const y = backend.make([cols], 'float32');
  const chunks = Math.ceil(rows / CHUNK_TOKENS);
  backend.withScratch(Math.max(1, chunks * cols) * WORD_BYTES, (partial) => {
    const kernel = variant('weighted_sums', backend.floatStorage(x));
    backend.device.launch(kernel, factor, backend.address(x), partial, chunks, CHUNK_TOKENS, rows, cols);
    sumColumns(backend, partial, backend.address(y), { outer: 1, length: chunks, inner: cols });
  });
  return y;
}

/** dx, dotherMean, dwSelf, dwOther, dbias. */
const gatedFusionGrad: Kernel = (backend, inputs, attrs) =>
  withGate(backend, inputs, attrs, ({ storage, x, other, addresses, wOther, sizes, batch }) => {
    const { device } = backend;
    const [rows, tokens, cols] = sizes;
    const dx = backend.make(x.shape, 'float32', storage);
    const dOther = backend.make(other.shape, 'float32', storage);
    const dBias = backend.make([1], 'float32');
    return backend.withScratch(Math.max(1, rows + batch) * WORD_BYTES, (dz) => {
      // The other branch's mean enters every logit of its item alike: the sum over the item is all it needs.
      const dzItems = dz + rows * WORD_BYTES;
      backend.withStorage(input(inputs, 'dy'), storage, (dy) =>
        device.launch(
          variant('gated_fusion_grad_x', storage),
          ...[backend.address(dy), ...addresses, backend.address(dx), dz, ...sizes],
        ),
      );
      device.launch('sum_rows', dz, dzItems, batch, rows === 0 ? 0 : tokens, rows, 1);
      device.launch(variant('outer_product', storage), dzItems, wOther, backend.address(dOther), batch, cols);
      device.launch('sum_rows', dzItems, backend.address(dBias), 1, batch, batch, 1);
      const dwSelf = weightedSum(backend, dz, x, rows, cols);
      return [dx, dOther, dwSelf, weightedSum(backend, dzItems, other, batch, cols), dBias];
    });
  });

export function registerFusion(backendName: string): void {
  registerTable(backendName, { MimicGatedFusion: gatedFusion, MimicGatedFusionGrad: gatedFusionGrad });
}
