import * as tf from '@tensorflow/tfjs-core';
import { kvAppend, kvGrow } from '../ops/index.js';

/** Smallest room for tokens; it doubles when it is used up, so that a token costs no copy of those before it. */
const SMALLEST_CAPACITY = 64;

/** What one layer holds, [B, capacity, G, D] each; forks share it for as long as they can. */
interface Shelf {
  k_BSGD: tf.Tensor;
  v_BSGD: tf.Tensor;
  /** Tokens that each cache sees of it: the first so many. */
  readonly lengths: Map<KvCache, number>;
}

/** Keys and values of one layer, owned by the cache; the first `keys` of their capacity count. */
export interface CachedKeys {
  readonly k_BSGD: tf.Tensor;
  readonly v_BSGD: tf.Tensor;
  readonly keys: number;
}

/**
 * Keys and values of the tokens seen so far, one pair a layer, appended in place.
 *
 * A fork shares the memory of the tokens before it, so one encoded and prefilled video answers many questions. The first
 * of the sharers that appends does so behind the common tokens, where no other looks; one that finds that place taken
 * copies its own tokens first.
 */
export class KvCache {
  private readonly shelves: (Shelf | undefined)[] = [];

  /** Tokens held. */
  get length(): number {
    return this.shelves[0]?.lengths.get(this) ?? 0;
  }

  /** Tokens that fit without a copy. */
  get capacity(): number {
    return this.shelves[0]?.k_BSGD.shape[1] ?? 0;
  }

  /** Appends this step's keys and values [B, T, G, D] of one layer. */
  append(layer: number, k_BTGD: tf.Tensor, v_BTGD: tf.Tensor): CachedKeys {
    const held = this.shelves[layer]?.lengths.get(this) ?? 0;
    const keys = held + (k_BTGD.shape[1] ?? 0);
    const shelf = this.roomFor(layer, keys, { k_BSGD: k_BTGD, v_BSGD: v_BTGD });
    write(shelf, k_BTGD, v_BTGD, held);
    shelf.lengths.set(this, keys);
    return { k_BSGD: shelf.k_BSGD, v_BSGD: shelf.v_BSGD, keys };
  }

  /**
   * As `append`, of one token an item, at the position that an int32 tensor [1] holds on the device. For recorded work: the
   * memory stays where it is, so `reserve` comes first, and the host counts the token with `advance`.
   */
  appendAt(layer: number, k_B1GD: tf.Tensor, v_B1GD: tf.Tensor, position_1: tf.Tensor): Omit<CachedKeys, 'keys'> {
    const shelf = this.shelves[layer];
    if (shelf === undefined) throw new RangeError(`KvCache.appendAt: layer ${layer} has no reserved memory`);
    write(shelf, k_B1GD, v_B1GD, position_1);
    return shelf;
  }

  /** Gives the cache memory of its own for `capacity` tokens, which it keeps until it outgrows it. */
  reserve(capacity: number): void {
    for (const [layer, shelf] of this.shelves.entries()) {
      if (shelf === undefined || (shelf.lengths.size === 1 && capacityOf(shelf) >= capacity)) continue;
      this.replace(layer, copyOf(shelf, this.length, Math.max(capacity, this.length)), this.length);
    }
  }

  /** Counts tokens that appendAt wrote to every layer. */
  advance(tokens: number): void {
    for (const shelf of this.shelves) shelf?.lengths.set(this, (shelf.lengths.get(this) ?? 0) + tokens);
  }

  /** An independent cache over the same tokens; `copies` > 1 repeats the batch axis, for several candidates at once. */
  fork(copies = 1): KvCache {
    const forked = new KvCache();
    for (const [layer, shelf] of this.shelves.entries()) {
      if (shelf === undefined) continue;
      const own = copies === 1 ? shelf : repeated(shelf, copies);
      own.lengths.set(forked, shelf.lengths.get(this) ?? 0);
      forked.shelves[layer] = own;
    }
    return forked;
  }

  dispose(): void {
    for (const shelf of this.shelves.splice(0)) if (shelf !== undefined) leave(shelf, this);
  }

  /** The layer's shelf, or a new one in its place, where this cache may write up to `keys` tokens. */
  private roomFor(layer: number, keys: number, like: Omit<CachedKeys, 'keys'>): Shelf {
    const old = this.shelves[layer];
    const held = old?.lengths.get(this) ?? 0;
    if (old !== undefined && capacityOf(old) >= keys && mayWrite(old, this, held)) return old;
    const capacity = Math.max(SMALLEST_CAPACITY, 2 ** Math.ceil(Math.log2(Math.max(1, keys))));
    return this.replace(layer, copyOf(old ?? like, held, capacity), held);
  }

  private replace(layer: number, shelf: Shelf, held: number): Shelf {
    const old = this.shelves[layer];
    this.shelves[layer] = shelf;
    shelf.lengths.set(this, held);
    if (old !== undefined) leave(old, this);
    return shelf;
  }
}

const capacityOf = ({ k_BSGD }: Shelf): number => k_BSGD.shape[1] ?? 0;

/** Nobody else looks behind the first `held` tokens. */
function mayWrite({ lengths }: Shelf, cache: KvCache, held: number): boolean {
  for (const [other, length] of lengths) if (other !== cache && length > held) return false;
  return true;
}

function repeated({ k_BSGD, v_BSGD }: Shelf, copies: number): Shelf {
  const repeat = (x: tf.Tensor) => tf.keep(tf.tile(x, [copies, 1, 1, 1]));
  return { k_BSGD: repeat(k_BSGD), v_BSGD: repeat(v_BSGD), lengths: new Map() };
}

function copyOf({ k_BSGD, v_BSGD }: Omit<CachedKeys, 'keys'>, length: number, capacity: number): Shelf {
  const copy = (x: tf.Tensor) => tf.keep(kvGrow(x, length, capacity));
  return { k_BSGD: copy(k_BSGD), v_BSGD: copy(v_BSGD), lengths: new Map() };
}

function write(shelf: Shelf, k: tf.Tensor, v: tf.Tensor, position: number | tf.Tensor): void {
  const old = [shelf.k_BSGD, shelf.v_BSGD];
  shelf.k_BSGD = tf.keep(kvAppend(shelf.k_BSGD, k, position));
  shelf.v_BSGD = tf.keep(kvAppend(shelf.v_BSGD, v, position));
  tf.dispose(old);
}

function leave(shelf: Shelf, cache: KvCache): void {
  shelf.lengths.delete(cache);
  if (shelf.lengths.size === 0) tf.dispose([shelf.k_BSGD, shelf.v_BSGD]);
}
