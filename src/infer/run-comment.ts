import { collectCandidates } from './collect-candidates.js';
import type { VideoSession, WriteOptions } from './video-session.js';
import { type VideoOptions, withVideo } from './with-video.js';

export interface CommentRequest extends Omit<WriteOptions, 'signal'> {
  /** One JSON object instead of streamed text. */
  readonly json?: boolean | undefined;
}

/** `mimic comment`: comments on a video, streamed to stdout. */
export function runComment(options: VideoOptions & CommentRequest): Promise<void> {
  return withVideo(options, async (session) => {
    for await (const text of commentReport(session, options)) process.stdout.write(text);
  });
}

/** The output piece by piece: one candidate a line, or one JSON object at the end. */
export async function* commentReport(
  session: VideoSession,
  { json, ...options }: CommentRequest,
): AsyncGenerator<string, void, undefined> {
  if (json) {
    const comments = await collectCandidates(session.commentCandidates(options));
    yield `${JSON.stringify({ comments })}\n`;
  } else {
    yield* session.comment(options);
    yield '\n';
  }
}
