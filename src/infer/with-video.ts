import type { BackendOptions } from '../backend/select.js';
import { MimicChat } from './mimic-chat.js';
import type { VideoSession } from './video-session.js';

export interface VideoOptions extends BackendOptions {
  /** Model folder. */
  readonly checkpoint: string;
  /** Video file. */
  readonly video: string;
}

/** Loads the model, encodes the video, lets `use` work with it, and frees both. */
export async function withVideo(options: VideoOptions, use: (session: VideoSession) => Promise<void>): Promise<void> {
  const chat = await MimicChat.load(options.checkpoint, options);
  try {
    const session = await chat.encode(options.video);
    try {
      await use(session);
    } finally {
      session.dispose();
    }
  } finally {
    chat.dispose();
  }
}
