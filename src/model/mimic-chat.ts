/**
 * MIMIC-Chat, the paper's Figure 3 from top to bottom:
 *
 *     8 frames  -> spatial encoder  -> spatial projector  \
 *                                                           gated fusion -> [VID] phi(V)' [SEP] text -> language model
 *     all frames -> temporal encoder -> temporal projector /                                          (+ LoRA)
 *
 *     Y = LM([VID], phi(V)', [SEP], T)                                                              (Eq. 1)
 *
 * Shape letters: B batch, V visual tokens, L sequence length, N rows, C hidden size of the language model.
 */
import * as tf from '@tensorflow/tfjs-core';
import { ShapeError } from '../base/errors.js';
import { phase } from '../base/phases.js';
import { gatherRows, stored, workStorage } from '../ops/index.js';
import { type ModelConfig, numVisualTokens, tokensPerFrame } from './config.js';
import { type DecodeOptions, Decoder } from './decoder.js';
import type { Frames, VideoFrames } from './frames.js';
import type { KvCache } from './kv-cache.js';
import { normal, type Parameter, ParameterStore, Scope } from './parameters.js';
import { SpatialEncoder } from './spatial-encoder.js';
import { TemporalEncoder } from './temporal-encoder.js';
import { VideoFeatures } from './video-features.js';
import type { VisualBlock } from './visual-block.js';
import { VisualPath } from './visual-path.js';

/** Stands in token ids where a visual token goes. */
export const VISUAL_ID = -1;

export class MimicChatModel {
  readonly parameters = new ParameterStore();
  readonly spatialEncoder: SpatialEncoder;
  readonly temporalEncoder: TemporalEncoder | null;
  readonly decoder: Decoder;
  private readonly visualPath: VisualPath;
  private readonly specialTokens: Parameter;

  /** Declares every parameter and allocates nothing; `parameters.initialize` or a checkpoint gives them values. */
  constructor(readonly config: ModelConfig) {
    const { spatial, temporal, language, lora, ablate } = config;
    const root = (part: ConstructorParameters<typeof Scope>[2]) => new Scope(this.parameters, '', part);
    this.spatialEncoder = new SpatialEncoder(root('spatial encoder').child('vision_model'), spatial);
    this.temporalEncoder =
      ablate === 'no-temporal-encoder'
        ? null
        : new TemporalEncoder(root('temporal encoder').child('timesformer'), temporal);
    this.visualPath = new VisualPath(root('positions'), config, {
      spatial: this.spatialEncoder.outputSize,
      temporal: temporal.hiddenSize,
    });
    // Input rows of [VID] and [SEP]; never predicted, so the output head does not grow.
    const special = root('special tokens').child('special_tokens');
    this.specialTokens = special.parameter('weight', [2, language.hiddenSize], normal(language.embeddingStd));
    const adapters = ablate === 'no-lora' || lora.rank === 0 ? null : lora;
    this.decoder = new Decoder(root('language model').child('language_model'), language, adapters);
  }

  get vidId(): number {
    return this.config.language.vocabSize;
  }

  get sepId(): number {
    return this.config.language.vocabSize + 1;
  }

  /** Visual tokens of one video, both branches. */
  numVisualTokens(): number {
    const { spatial, temporal } = numVisualTokens(this.config);
    return spatial + temporal;
  }

  /** What a prompt leaves room for: any video's tokens, or those of these features. */
  visualBlock(features?: VideoFeatures): VisualBlock {
    const ids = { vidId: this.vidId, sepId: this.sepId };
    if (features?.kind === 'image') {
      return { kind: 'image', spatial: [features.spatial_ND.shape[0]], temporal: 0, ...ids };
    }
    const { spatial } = this.config;
    const frames = Array<number>(spatial.numFrames).fill(tokensPerFrame(spatial));
    return { kind: 'video', spatial: frames, temporal: numVisualTokens(this.config).temporal, ...ids };
  }

  /**
   * The spatial encoder on a picture's tiles, as `encodeFrames`. A picture has no time: its features go without the temporal
   * branch and without time embeddings.
   */
  encodeImage(tiles: Frames): VideoFeatures {
    return new VideoFeatures(
      phase('spatial encoder', () => this.spatialEncoder.encode(tiles)),
      null,
      'image',
    );
  }

  /** Both frozen encoders on one video, without a tape and in bounded memory; of pictures the spatial one. The caller disposes the features. */
  encodeFrames(video: VideoFrames): VideoFeatures {
    if (video.kind === 'image') return this.encodeImage(video.spatial);
    const spatial_ND = phase('spatial encoder', () => this.spatialEncoder.encode(video.spatial));
    const temporal = this.temporalEncoder;
    const temporal_MD = temporal && phase('temporal encoder', () => temporal.encode(video.temporal));
    return new VideoFeatures(spatial_ND, temporal_MD);
  }

  /**
   * Projectors and gated fusion: features of B inputs -> phi(V)' [B, V, C].
   *
   * @throws ShapeError when videos and pictures stand in one batch, or a video has no temporal features
   */
  visualTokens(features: readonly VideoFeatures[]): tf.Tensor3D {
    return tf.tidy(() => {
      const kind = features[0]?.kind ?? 'video';
      const hasTemporal = this.temporalEncoder !== null && kind === 'video';
      const temporal = features.map((video) => video.temporal_MD).filter((x) => x !== null);
      if (features.some((video) => video.kind !== kind)) {
        throw new ShapeError('E_FEATURES_MIXED', 'visualTokens: got videos and pictures in one batch.', {
          hint: 'Put them into batches of their own.',
        });
      }
      if (hasTemporal && temporal.length !== features.length) {
        throw new ShapeError('E_FEATURES_TEMPORAL', 'visualTokens: a video has no temporal features.', {
          hint: 'Encode it with a model whose temporal branch is on.',
        });
      }
      const spatial = tf.stack(features.map((video) => video.spatial_ND)) as tf.Tensor3D;
      return this.visualPath.apply(spatial, hasTemporal ? (tf.stack(temporal) as tf.Tensor3D) : null, kind);
    });
  }

  /**
   * Input embeddings of a batch: token rows, [VID]/[SEP] rows, and visual tokens in order wherever VISUAL_ID stands.
   *
   * @param ids [B * L] row-major
   * @param visual_BVC null when no id is VISUAL_ID
   * @param visualRows row of visual_BVC, seen as [B * V, C], for each VISUAL_ID in turn; default: 0, 1, ..
   * @throws ShapeError when placeholders and visual tokens differ in number
   */
  embed(
    ids: Int32Array,
    batch: number,
    length: number,
    visual_BVC: tf.Tensor3D | null,
    visualRows?: Int32Array,
  ): tf.Tensor3D {
    const { vocabSize, hiddenSize: c } = this.config.language;
    // [VID] and [SEP] are no inputs, and get no gradient, where no id is theirs: in the base's own prompt layout.
    const special = ids.some((id) => id >= vocabSize) ? [this.specialTokens.value] : [];
    const tokenRows = new Int32Array(ids.length).fill(-1);
    const otherRows = new Int32Array(ids.length).fill(-1);
    let visual = 0;
    for (const [i, id] of ids.entries()) {
      if (id === VISUAL_ID) {
        otherRows[i] = 2 * special.length + (visualRows?.[visual] ?? visual);
        visual++;
      } else if (id >= vocabSize) otherRows[i] = id - vocabSize;
      else tokenRows[i] = id;
    }
    const available = visual_BVC === null ? 0 : visual_BVC.shape[0] * visual_BVC.shape[1];
    if (visual !== available) {
      throw new ShapeError(
        'E_VISUAL_COUNT',
        `embed: ${visual} visual placeholders in the ids, ${available} visual tokens given.`,
        { hint: 'A visual span must never be cut: shorten the text, or lower spatial.numFrames or temporal.pool.' },
      );
    }
    return tf.tidy(() => {
      // Row -1 gives zeros, so the frozen table and the trained rows are gathered apart and added.
      // The table may be in its file's bf16; a sum with it would be rounded.
      const text = stored(gatherRows(this.decoder.tokenEmbeddings.value, tokenRows), workStorage());
      const tables = visual_BVC === null ? special : [...special, tf.reshape(visual_BVC, [-1, c])];
      const table = tables.length === 2 ? tf.concat(tables, 0) : tables[0];
      const sum = table === undefined ? text : tf.add(text, gatherRows(table, otherRows));
      return tf.reshape(stored(sum, workStorage()), [batch, length, c]);
    });
  }

  /** Hidden states after the final norm [B, L, C]; appends to the cache when one is given. */
  decode(embeds_BLC: tf.Tensor3D, options: DecodeOptions = {}): tf.Tensor3D {
    return tf.tidy(() => this.decoder.apply(embeds_BLC, options));
  }

  /**
   * Logits of the next token after one more token an item, with nothing but device memory read: ids, position and number of
   * keys are tensors, so that a device can record the step and run it again. The caller reserves the cache's memory
   * before and calls `cache.advance(1)` after it.
   *
   * @param ids_B int32 [B], below vocabSize
   * @returns [B, vocabSize]
   */
  decodeStep(ids_B: tf.Tensor1D, cache: KvCache, at: NonNullable<DecodeOptions['at']>): tf.Tensor2D {
    return tf.tidy(() => {
      const embeds_BC = stored(gatherRows(this.decoder.tokenEmbeddings.value, ids_B), workStorage());
      const [batch = 1, c = 1] = embeds_BC.shape;
      const hidden_B1C = this.decoder.apply(tf.reshape(embeds_BC, [batch, 1, c]), { cache, at });
      return this.logits(tf.reshape(hidden_B1C, [batch, c]));
    });
  }

  /** @returns [N, vocabSize] */
  logits(hidden_NC: tf.Tensor2D): tf.Tensor2D {
    return this.decoder.logits(hidden_NC);
  }

  dispose(): void {
    this.parameters.dispose();
  }
}
