import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import type { BackendOptions } from '../backend/select.js';
import { CheckpointError, ConfigError } from '../base/errors.js';
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
import { prefixIds, type SessionContext, VideoSession } from './video-session.js';

/** The sections of a model folder's config.yaml that inference reads; `model` is read by `loadModelFolder`. */
const FolderSchema = z.looseObject({
  video: SamplingSchema.omit({ size: true, numFrames: true }).prefault({}),
  prompt: PromptSchema.prefault({}),
  train: z.looseObject({ maxLength: z.int().positive().default(4096) }).prefault({}),
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
   * Loads a model folder: config.yaml, model.safetensors, tokenizer.json.
   *
   * @param options the backend; without one, that which runs already, else the best one found
   * @throws CheckpointError when a file is absent, damaged or of another model; DataError E_TOKENIZER_*; BackendError
   */
  static async load(dir: string, options: BackendOptions = {}): Promise<MimicChat> {
    await ensureBackend(options);
    const { model, config, tokenizerDir } = await loadModelFolder(dir);
    try {
      const parsed = FolderSchema.safeParse(config);
      if (!parsed.success) {
        throw new CheckpointError('E_FOLDER_CONFIG', `${dir}/config.yaml: ${z.prettifyError(parsed.error)}`);
      }
      const { video, prompt, train } = parsed.data;
      const { imageSize, numFrames } = model.config.spatial;
      return new MimicChat({
        model,
        tokenizer: await loadTokenizer(tokenizerDir),
        prompt,
        sampling: { ...video, size: imageSize, numFrames },
        contextLength: train.maxLength,
        weightFiles: [...new Set([tokenizerDir, dir])].map((folder) => join(folder, 'model.safetensors')),
      });
    } catch (error) {
      model.dispose();
      throw error;
    }
  }

  /**
   * Decodes, encodes and prefills a video once. The caller disposes the session.
   *
   * @param source a local video file, or frames of `sampling.size` pixels
   * @throws DataError E_VIDEO_* when the file cannot be used; ConfigError E_PROMPT_LAYOUT, E_CONTEXT_LENGTH
   */
  async encode(source: string | VideoFrames, options: { readonly signal?: AbortSignal } = {}): Promise<VideoSession> {
    const frames = typeof source === 'string' ? await decodeVideo(source, this.parts.sampling, options) : source;
    options.signal?.throwIfAborted();
    const features = this.parts.model.encodeFrames(frames);
    try {
      return await this.session(features);
    } finally {
      features.dispose();
    }
  }

  /** A session from features that were computed before; they stay the caller's. */
  async session(features: VideoFeatures): Promise<VideoSession> {
    const { model, prompt } = this.parts;
    if (prompt.layout === 'none') {
      throw new ConfigError(
        'E_PROMPT_LAYOUT',
        'prompt.layout: got none, expected paper: this model was trained without video',
        {
          hint: 'use textOnly()',
        },
      );
    }
    const context = this.context({ count: model.numVisualTokens(), vidId: model.vidId, sepId: model.sepId });
    const visual_BVC: tf.Tensor3D = model.visualTokens([features]);
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

  private context(visual: SessionContext['visual']): SessionContext {
    const { tokenizer, prompt } = this.parts;
    return { tokenizer, prompt, visual };
  }

  private emptySequence(): ModelSequence {
    return new ModelSequence(this.parts.model, this.parts.contextLength);
  }
}
