import type { Rng } from '../../base/rng.js';
import type { VideoComment, VideoRecord } from '../record.js';
import { FACT_KINDS, type Facts } from './facts.js';
import { CATEGORY_OF, COMMENT_STYLES, type CommentStyle, OPENERS, TITLE_HOOKS, TOPIC_OF_BG } from './words.js';

export const CLIP_FRAMES = 33;
export const CLIP_FPS = 8;

/** Facts that a comment may be about: those that have a phrase a viewer would use. */
const COMMENT_FACTS = ['color', 'shape', 'motion', 'lamp'] as const;

export const PHRASES = {
  color: ({ color }: Facts) => `so ${color}`,
  shape: ({ shape }: Facts) => `a ${shape}`,
  motion: ({ motion }: Facts) => `going ${motion}`,
  lamp: ({ lamp }: Facts) => `lamp ${lamp}`,
  bg: ({ bg }: Facts) => `at the ${bg}`,
  layout: ({ layout }: Facts) => `with ${layout}`,
} as const;

/** Share of a comment's likes that the next ranked one gets. */
const LIKES_DECAY = { min: 0.35, span: 0.45 };

/**
 * What the creator and the viewers of a clip with these facts would write: one fact word in each text.
 *
 * @param rng draws the hook, the fact of each text, openers, likes and counts
 */
export function makeRecord(facts: Facts, rng: Rng, id: string): VideoRecord {
  const title = `${rng.pick(TITLE_HOOKS)} ${PHRASES[rng.pick(['color', 'shape', 'motion'] as const)](facts)}`;
  const description = PHRASES[rng.pick(['bg', 'layout', 'lamp'] as const)](facts);
  const comments = makeComments(facts, rng);
  const like = 2000 + rng.int(50_000);
  return {
    id,
    video_path: `videos/${id}.mp4`,
    title,
    description,
    tags: FACT_KINDS.map((kind) => facts[kind]),
    topic: TOPIC_OF_BG[facts.bg],
    category: CATEGORY_OF[facts.bg][facts.motion],
    comments,
    stats: { like, favorite: Math.floor(like / 8), share: Math.floor(like / 20), comment: comments.length },
    platform: 'synthetic',
    duration_sec: CLIP_FRAMES / CLIP_FPS,
    lang: 'en',
    facts: { ...facts },
  };
}

/**
 * Five comments on one fact. The best liked is ironic; ranks 3 to 5 have one of each other style, so that of the four
 * options of comment popularity exactly one is ironic. Listed in random order.
 */
function makeComments(facts: Facts, rng: Rng): VideoComment[] {
  const phrase = PHRASES[rng.pick(COMMENT_FACTS)](facts);
  const sober = COMMENT_STYLES.filter((style) => style !== 'irony');
  const styles: CommentStyle[] = ['irony', rng.pick(sober), ...rng.shuffle([...sober])];
  const used = new Set<string>();
  let likes = 800 + rng.int(8000);
  const comments = styles.map((style) => {
    const opener = rng.pick(OPENERS[style].filter((word) => !used.has(word)));
    used.add(opener);
    const comment = { text: `${opener} ${phrase}`, likes };
    likes = Math.floor(likes * (LIKES_DECAY.min + LIKES_DECAY.span * rng.uniform()));
    return comment;
  });
  return rng.shuffle(comments);
}
