import * as tf from '@tensorflow/tfjs-core';
import { ConfigError } from '../base/errors.js';
import { KvCache } from '../model/kv-cache.js';
import type { MimicChatModel } from '../model/mimic-chat.js';
import type { TokenSequence } from './language-model.js';

/** A token sequence of MIMIC-Chat: batch 1, keys and values of what was appended stay on the device. */
export class ModelSequence implements TokenSequence {
  /** @param contextLength most tokens the sequence may hold, visual ones included */
  constructor(
    private readonly model: MimicChatModel,
    private readonly contextLength: number,
    private readonly cache = new KvCache(),
  ) {}

  get length(): number {
    return this.cache.length;
  }

  /** @param visual_BVC [1, V, C], one row for each VISUAL_ID among `ids`; stays the caller's */
  async append(ids: readonly number[], visual_BVC: tf.Tensor3D | null = null): Promise<Float32Array> {
    const wanted = this.length + ids.length;
    if (ids.length === 0 || wanted > this.contextLength) {
      throw new ConfigError(
        'E_CONTEXT_LENGTH',
        `a sequence of ${this.length} tokens cannot take ${ids.length} more: got ${wanted}, expected 1 to ` +
          `${this.contextLength - this.length} new ones within a context of ${this.contextLength}`,
        { hint: 'shorten the question and its options, or lower maxTokens' },
      );
    }
    const logits_1V = tf.tidy(() => {
      const embeds_BLC = this.model.embed(Int32Array.from(ids), 1, ids.length, visual_BVC);
      const hidden_BLC = this.model.decode(embeds_BLC, { cache: this.cache });
      const width = hidden_BLC.shape[2];
      return this.model.logits(tf.reshape(tf.slice(hidden_BLC, [0, ids.length - 1, 0], [1, 1, width]), [1, width]));
    });
    try {
      return await logits_1V.data<'float32'>();
    } finally {
      logits_1V.dispose();
    }
  }

  fork(): ModelSequence {
    return new ModelSequence(this.model, this.contextLength, this.cache.fork());
  }

  dispose(): void {
    this.cache.dispose();
  }
}
