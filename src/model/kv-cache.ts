import * as tf from '@tensorflow/tfjs-core';

interface LayerCache {
  readonly k_BSGD: tf.Tensor;
  readonly v_BSGD: tf.Tensor;
}

/**
 * Keys and values of the tokens seen so far, one pair a layer.
 *
 * Appending makes new tensors and leaves the old ones to other forks, so one encoded and prefilled video answers many
 * questions: each question appends to its own fork.
 */
export class KvCache {
  private readonly layers: (LayerCache | undefined)[] = [];

  /** Tokens held. */
  get length(): number {
    return this.layers[0]?.k_BSGD.shape[1] ?? 0;
  }

  /** Appends this step's keys and values [B, T, G, D] of one layer; returns all of them [B, S, G, D], owned by the cache. */
  append(layer: number, k_BTGD: tf.Tensor, v_BTGD: tf.Tensor): LayerCache {
    const old = this.layers[layer];
    const joined = {
      k_BSGD: tf.keep(old === undefined ? k_BTGD.clone() : tf.concat([old.k_BSGD, k_BTGD], 1)),
      v_BSGD: tf.keep(old === undefined ? v_BTGD.clone() : tf.concat([old.v_BSGD, v_BTGD], 1)),
    };
    this.layers[layer] = joined;
    if (old !== undefined) tf.dispose([old.k_BSGD, old.v_BSGD]);
    return joined;
  }

  /** An independent cache over the same tokens; `copies` > 1 repeats the batch axis, for several candidates at once. */
  fork(copies = 1): KvCache {
    const forked = new KvCache();
    const copy = (x: tf.Tensor) => tf.keep(copies === 1 ? x.clone() : tf.tile(x, [copies, 1, 1, 1]));
    for (const [index, layer] of this.layers.entries()) {
      if (layer !== undefined) forked.layers[index] = { k_BSGD: copy(layer.k_BSGD), v_BSGD: copy(layer.v_BSGD) };
    }
    return forked;
  }

  dispose(): void {
    for (const layer of this.layers.splice(0)) {
      if (layer !== undefined) tf.dispose([layer.k_BSGD, layer.v_BSGD]);
    }
  }
}
