import type { Rng } from '../../base/rng.js';
import type { VideoRecord } from '../record.js';
import { rankedComments } from './corpus-index.js';
import type { CommentRequest, Skipped } from './types.js';
import { videoSource } from './video-source.js';

const REFERENCES = 5;

/** CoI in both wordings. */
export const COMMENT_WORDING = {
  natural: 'Write a comment as a viewer of this video would.',
  terse: 'comment',
} as const;

/** CoI: free text, with the five best-liked comments as reference. */
export function buildCommentRequest(record: VideoRecord): CommentRequest | Skipped {
  const references = rankedComments(record)
    .slice(0, REFERENCES)
    .map(({ text }) => text);
  if (references.length === 0) return { task: 'comment', videoId: record.id, reason: 'no-comments' };
  return { id: `${record.id}:comment`, ...videoSource(record), task: 'comment', references };
}

/** The text a model learns to write: one of the references, each as likely. */
export function drawCommentTarget(request: CommentRequest, rng: Rng): string {
  return rng.pick(request.references);
}
