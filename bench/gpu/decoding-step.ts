/** One token through the whole stack by plain launches: what a recording of a generation step holds. */
import type { Device } from '../../src/backend/device.js';
import type { LanguageConfig } from '../../src/model/config.js';
import type { ParameterStore } from '../../src/model/parameters.js';
import { nativeBackend } from './decoder.js';
import { RandomMemory } from './random.js';

interface LayerWeights {
  readonly attentionNorm: number;
  readonly wqkv: number;
  readonly wo: number;
  readonly ffnNorm: number;
  readonly w1: number;
  readonly w3: number;
  readonly w2: number;
}

const BF16_BYTES = 2;

export class DecodingStep {
  private readonly memory: RandomMemory;
  private readonly layers: readonly LayerWeights[];
  private readonly caches: readonly { readonly k: number; readonly v: number }[];
  private readonly buffers: Readonly<
    Record<'token' | 'x' | 'sum' | 'normed' | 'qkv' | 'q' | 'o' | 'update' | 'gate' | 'up' | 'act', number>
  >;
  private readonly tables: Readonly<Record<'positions' | 'cosines' | 'sines' | 'count' | 'lse', number>>;
  private readonly heads: { readonly norm: number; readonly output: number; readonly logits: number };

  /** @param tokens keys in the cache after this step, of `capacity` */
  constructor(
    private readonly device: Device,
    private readonly config: LanguageConfig,
    store: ParameterStore,
    private readonly tokens: number,
    private readonly capacity: number,
  ) {
    const { hiddenSize: c, intermediateSize: f, numHeads, numKvHeads, numLayers, vocabSize } = config;
    const d = c / numHeads;
    const backend = nativeBackend();
    const weight = (name: string) => {
      const parameter = store.get(`language_model.${name}`);
      if (parameter === undefined) throw new RangeError(`no parameter ${name}`);
      return backend.address(parameter.value);
    };
    this.layers = Array.from({ length: numLayers }, (_, n) => {
      const of = (name: string) => weight(`model.layers.${n}.${name}.weight`);
      return {
        ...{ attentionNorm: of('attention_norm'), wqkv: of('attention.wqkv'), wo: of('attention.wo') },
        ...{ ffnNorm: of('ffn_norm'), w1: of('feed_forward.w1'), w3: of('feed_forward.w3'), w2: of('feed_forward.w2') },
      };
    });
    this.memory = new RandomMemory(device);
    const { memory } = this;
    const cache = () => memory.random(capacity * numKvHeads * d, 'bf16');
    this.caches = this.layers.map(() => ({ k: cache(), v: cache() }));
    const empty = (length: number) => memory.empty(length, 'bf16');
    this.buffers = {
      ...{
        token: memory.random(c, 'bf16'),
        x: empty(c),
        sum: empty(c),
        normed: empty(c),
        qkv: empty(c + 2 * numKvHeads * d),
      },
      ...{ q: empty(c), o: empty(c), update: empty(c), gate: empty(f), up: empty(f), act: empty(f) },
    };
    this.tables = {
      ...{ positions: memory.put(Int32Array.of(0), 'i32'), count: memory.put(Int32Array.of(tokens), 'i32') },
      ...{ cosines: memory.random(d, 'f32'), sines: memory.random(d, 'f32'), lse: memory.empty(numHeads, 'f32') },
    };
    const logits = memory.empty(vocabSize, 'f32');
    this.heads = { norm: weight('model.norm.weight'), output: weight('output.weight'), logits };
  }

  /** Queues everything from the token's embedding to its logits. */
  run(): void {
    const { device, buffers, config, tokens } = this;
    const { hiddenSize: c, intermediateSize: f, numHeads, numKvHeads, normEps, vocabSize } = config;
    const d = c / numHeads;
    const perGroup = numHeads / numKvHeads;
    const { token, x, sum, normed, qkv, q, o, update, gate, up, act } = buffers;
    const { positions, cosines, sines, count, lse } = this.tables;
    const slot = (tokens - 1) * numKvHeads * d * BF16_BYTES;
    // The token's embedding stays as it is, so that a thousand steps are the same step.
    let residual = token;
    for (const [n, weights] of this.layers.entries()) {
      const cache = this.caches[n] ?? { k: 0, v: 0 };
      if (n === 0) device.launch('rms_norm_bf16', token, weights.attentionNorm, normed, 1, c, normEps);
      else {
        device.launch('add_rms_norm_bf16', sum, update, weights.attentionNorm, x, normed, 1, c, normEps);
        residual = x;
      }
      this.product(normed, weights.wqkv, qkv, c, (numHeads + 2 * numKvHeads) * d);
      const parts = [q, cache.k + slot, cache.v + slot];
      device.launch(
        'split_rope_bf16',
        qkv,
        positions,
        cosines,
        sines,
        ...parts,
        numKvHeads,
        numKvHeads,
        perGroup,
        d / 2,
      );
      device.attention({
        ...{ storage: 'bf16', batch: 1, queries: 1, keys: this.capacity, capacity: this.capacity, keyCount: count },
        ...{ heads: numHeads, groups: numKvHeads, headDim: d, causal: true, scale: d ** -0.5 },
        ...{ q, k: cache.k, v: cache.v, keyMask: 0, o, lse },
      });
      this.product(o, weights.wo, update, c, c);
      device.launch('add_rms_norm_bf16', residual, update, weights.ffnNorm, sum, normed, 1, c, normEps);
      this.product(normed, weights.w1, gate, c, f);
      this.product(normed, weights.w3, up, c, f);
      device.launch('swiglu_bf16', gate, up, act, f);
      this.product(act, weights.w2, update, f, c);
    }
    device.launch('add_rms_norm_bf16', sum, update, this.heads.norm, x, normed, 1, c, normEps);
    this.product(normed, this.heads.output, this.heads.logits, c, vocabSize, 'f32');
  }

  dispose(): void {
    this.memory.dispose();
  }

  private product(a: number, b: number, y: number, k: number, n: number, resultStorage: 'bf16' | 'f32' = 'bf16'): void {
    this.device.gemm({
      ...{
        storage: 'bf16',
        resultStorage,
        transposeA: false,
        transposeB: true,
        m: 1,
        n,
        k,
        a,
        b,
        c: y,
        bias: 0,
        scale: 1,
      },
      ...{ accumulate: false, activation: 'none', batch: 1, strideA: 0, strideB: 0, strideC: 0 },
    });
  }
}
