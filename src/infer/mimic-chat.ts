import type * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import type { BackendOptions } from '../backend/select.js';
import { CheckpointError, ConfigError } from '../base/errors.js';
import { phase } from '../base/phases.js';
import { decodeImageTiles } from '../data/image.js';
import { checkInput, inputOfFolder } from '../data/input-fingerprint.js';
import { isPictureFile } from '../data/picture-file.js';
import { type PromptConfig, PromptSchema } from '../data/prompt.js';
import { loadTokenizer, type Tokenizer } from '../data/tokenizer.js';
import { decodeVideo } from '../data/video/decode-video.js';
import { type SamplingConfig, SamplingSchema } from '../data/video/sampling.js';
import type { VideoFrames } from '../model/frames.js';
import { loadModelFolder } from '../model/load.js';
import type { MimicChatModel } from '../model/mimic-chat.js';
import type { VideoFeatures } from '../model/video-features.js';
import { ensureBackend } from './ensure-backend.js';
import { ModelSequence } from './model-sequence.js';
import { releaseKeptMemory } from './release-memory.js';
import { prefixIds, type SessionContext, VideoSession } from './video-session.js';

/** The sections of a model folder's config.yaml that inference reads; `model` is read by `loadModelFolder`. */
const FolderSchema = z.looseObject({
  video: SamplingSchema.omit({ size: true, numFrames: true }).prefault({}),
  prompt: PromptSchema.prefault({}),
  /** What the weights were tuned with; a base as published has no such section, and takes what its positions allow. */
  train: z.looseObject({ maxLength: z.int().positive().optional() }).prefault({}),
});

export interface MimicChatParts {
  readonly model: MimicChatModel;
  readonly tokenizer: Tokenizer;
  readonly prompt: PromptConfig;
  readonly sampling: SamplingConfig;
  /** Most tokens in a sequence, visual ones included. */
  readonly contextLength: number;
  /** Files that the weights came from. */
  readonly weightFiles?: readonly string[];
}

/**
 * A trained MIMIC-Chat that watches videos and answers.
 *
 * @example
 * const model = await MimicChat.load('checkpoints/run/best');
 * const video = await model.encode('clip.mp4');
 * const { letter } = await video.choose('Which title fits?', ['..', '..', '..', '..']);
 * for await (const piece of video.comment({ seed: 1 })) process.stdout.write(piece);
 * video.dispose();
 */
export class MimicChat {
  constructor(readonly parts: MimicChatParts) {}

  /**
   * Loads a model folder of ours, a published InternVL folder as it is, or a PEFT adapter beside its base.
   *
   * @param options the backend; without one, that which runs already, else the best one found
   * @throws CheckpointError when a file is absent, damaged or of another model, E_INPUT_DRIFT when its input.json
   *   differs from how inputs would be made; DataError E_TOKENIZER_*; BackendError
   */
  static async load(dir: string, options: BackendOptions = {}): Promise<MimicChat> {
    await ensureBackend(options);
    const { model, config, tokenizerDir, weightFiles } = await phase('load', () => loadModelFolder(dir));
    try {
      const parsed = FolderSchema.safeParse(config);
      if (!parsed.success) {
        throw new CheckpointError('E_FOLDER_CONFIG', `${dir}/config.yaml: ${z.prettifyError(parsed.error)}`);
      }
      const { video, prompt, train } = parsed.data;
      const { imageSize, numFrames } = model.config.spatial;
      const { maxPositions } = model.config.language;
      // Without the temporal branch nothing looks at the full sequence: one frame of it stands for all.
      const temporal = model.temporalEncoder === null ? { maxFrames: 1 } : video.temporal;
      const tokenizer = await loadTokenizer(tokenizerDir);
      await checkInput(dir, inputOfFolder(dir, { model: model.config, config }, tokenizer));
      return new MimicChat({
        model,
        tokenizer,
        prompt,
        sampling: { ...video, temporal, size: imageSize, numFrames },
        contextLength: Math.min(train.maxLength ?? maxPositions, maxPositions),
        weightFiles,
      });
    } catch (error) {
      model.dispose();
      throw error;
    }
  }

  /**
   * Decodes, encodes and prefills a video or a picture once. The caller disposes the session.
   *
   * @param source a local file: a video, or a JPEG, PNG or WebP picture; or frames of `sampling.size` pixels
   * @throws DataError E_VIDEO_*, E_IMAGE_* when the file cannot be used; ConfigError E_PROMPT_LAYOUT, E_CONTEXT_LENGTH
   */
  async encode(source: string | VideoFrames, options: { readonly signal?: AbortSignal } = {}): Promise<VideoSession> {
    const features = await this.features(source, options);
    return this.prefilled(features, () => features.dispose());
  }

  /** A session from features that were computed before; they stay the caller's. */
  async session(features: VideoFeatures): Promise<VideoSession> {
    return this.prefilled(features, () => undefined);
  }

  /** @param done called once, when the features are not needed any more: before the prefill, which needs the most memory */
  private async prefilled(features: VideoFeatures, done: () => void): Promise<VideoSession> {
    return phase('prefill', async () => {
      let visual: { readonly visual_BVC: tf.Tensor3D; readonly context: SessionContext };
      try {
        visual = this.visualPart(features);
      } finally {
        done();
        // The encoders' buffers have other sizes than the language model's: kept, they would only add to its peak.
        releaseKeptMemory();
      }
      return this.prefill(visual.visual_BVC, visual.context);
    });
  }

  private visualPart(features: VideoFeatures): { visual_BVC: tf.Tensor3D; context: SessionContext } {
    const { model, prompt } = this.parts;
    if (prompt.layout === 'none') {
      throw new ConfigError(
        'E_PROMPT_LAYOUT',
        'prompt.layout: got none, expected paper or internvl: this model was trained without video',
        {
          hint: 'use textOnly()',
        },
      );
    }
    const context = this.context(model.visualBlock(features));
    return { visual_BVC: model.visualTokens([features]), context };
  }

  private async prefill(visual_BVC: tf.Tensor3D, context: SessionContext): Promise<VideoSession> {
    const prefix = this.emptySequence();
    try {
      await prefix.append(Array.from(prefixIds(context)), visual_BVC);
      return new VideoSession(prefix, context);
    } catch (error) {
      prefix.dispose();
      throw error;
    } finally {
      visual_BVC.dispose();
    }
  }

  /** A session that sees no video: what the language alone knows. */
  textOnly(): VideoSession {
    return new VideoSession(this.emptySequence(), this.context(null));
  }

  /** Frees the weights. */
  dispose(): void {
    this.parts.model.dispose();
  }

  private async features(source: string | VideoFrames, options: { readonly signal?: AbortSignal }) {
    const { model, sampling } = this.parts;
    if (typeof source === 'string' && (await isPictureFile(source))) {
      const { imageSize: size, maxTiles, thumbnail } = model.config.spatial;
      const tiles = await phase('decode', () => decodeImageTiles(source, { size, maxTiles, thumbnail }));
      options.signal?.throwIfAborted();
      return model.encodeImage(tiles);
    }
    const frames =
      typeof source === 'string' ? await phase('decode', () => decodeVideo(source, sampling, options)) : source;
    options.signal?.throwIfAborted();
    return model.encodeFrames(frames);
  }

  private context(visual: SessionContext['visual']): SessionContext {
    const { tokenizer, prompt } = this.parts;
    return { tokenizer, prompt, visual };
  }

  private emptySequence(): ModelSequence {
    return new ModelSequence(this.parts.model, this.parts.contextLength);
  }
}
