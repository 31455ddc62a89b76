/**
 * Counter-based random numbers: Philox-4x32-10.
 *
 * A number is a pure function of (key, stream, counter), so a checkpoint stores three integers, any position is
 * reached at once, and a device kernel can draw the very same numbers.
 *
 * @source Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"
 */
const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** High 32 bits of the unsigned product. */
function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const low = aLow * bLow;
  const mid = aHigh * bLow + (low >>> 16);
  const mid2 = aLow * bHigh + (mid & 0xffff);
  return (aHigh * bHigh + Math.floor(mid / 0x10000) + Math.floor(mid2 / 0x10000)) >>> 0;
}

/** Ten Philox rounds over one counter block; writes four uint32 to `out`. */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
  out: Uint32Array,
): void {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const h0 = mulHigh(M0, c0);
    const l0 = Math.imul(M0, c0) >>> 0;
    const h1 = mulHigh(M1, c2);
    const l1 = Math.imul(M1, c2) >>> 0;
    c0 = (h1 ^ c1 ^ k0) >>> 0;
    c1 = l1;
    c2 = (h0 ^ c3 ^ k1) >>> 0;
    c3 = l0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** FNV-1a of a label, to derive independent streams by name. */
export function hashLabel(label: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

export interface RngState {
  readonly seed: number;
  readonly stream: number;
  /** How many uint32 were drawn. */
  readonly position: number;
}

export class Rng {
  readonly seed: number;
  readonly stream: number;
  private position: number;
  private readonly block = new Uint32Array(4);
  private blockIndex = -1;

  /** @param seed any integer; `label` or a number names the stream. */
  constructor(seed: number, stream: string | number = 0, position = 0) {
    this.seed = seed >>> 0;
    this.stream = typeof stream === 'string' ? hashLabel(stream) : stream >>> 0;
    this.position = position;
  }

  static restore(state: RngState): Rng {
    return new Rng(state.seed, state.stream, state.position);
  }

  state(): RngState {
    return { seed: this.seed, stream: this.stream, position: this.position };
  }

  /** An independent generator; the same label always gives the same one. */
  fork(label: string | number): Rng {
    const child = typeof label === 'string' ? hashLabel(label) : label >>> 0;
    return new Rng(this.seed, (Math.imul(this.stream ^ 0x5bd1e995, 0x01000193) + child) >>> 0);
  }

  uint32(): number {
    const index = Math.floor(this.position / 4);
    if (index !== this.blockIndex) {
      philox4x32([index >>> 0, Math.floor(index / 2 ** 32), 0, 0], [this.seed, this.stream], this.block);
      this.blockIndex = index;
    }
    const value = this.block[this.position % 4] ?? 0;
    this.position++;
    return value;
  }

  /** Uniform in [0, 1), 24 bits: exact in float32. */
  uniform(): number {
    return (this.uint32() >>> 8) / 0x1000000;
  }

  /** Integer in [0, bound), without modulo bias. */
  int(bound: number): number {
    const limit = 0x100000000 - (0x100000000 % bound);
    let value = this.uint32();
    while (value >= limit) value = this.uint32();
    return value % bound;
  }

  /** Standard normal (Box-Muller, cosine branch). */
  normal(): number {
    const u = (this.uint32() + 1) / 0x100000001;
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Fisher-Yates, in place; returns its argument. */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const held = items[i];
      items[i] = items[j];
      items[j] = held;
    }
    return items;
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('Rng.pick: the list is empty');
    return items[this.int(items.length)] as T;
  }
}
