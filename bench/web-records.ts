/**
 * Records as users of a video platform write them, from a seed: unique titles, descriptions, comments and tags of several
 * words with Zipf's frequencies, emoji, accents and scripts without spaces among them, fields missing here and there.
 */
import { Rng } from '../src/base/rng.js';
import type { VideoRecord } from '../src/data/record.js';

const TOPICS = 40;
const CATEGORIES = 12;
/** Ranks of common words; beyond them a word is rare or used once. */
const VOCABULARY = 40_000;
const SYLLABLES =
  'ka lo mi ter na so ve ri chu den pal or ist an bel qua dri fen gus hol jin ket lum mor nix pra sil tun wex yor'.split(
    ' ',
  );
const ACCENTED = ['café', 'niño', 'über', 'garçon', 'Čeština', 'смотри', 'видео', 'Ελλάδα', 'ﬁlm', 'ＦＵＬＬ'];
const UNSPACED = ['今天去看海', '旅行', '風がとても強い', '猫', '料理の作り方', 'สวัสดีครับ', '노래'];
const EMOJI = ['😂', '🔥🔥', '❤️', '👍🏽', '✨', '🇫🇷', '😭😭😭'];
const OPENINGS = ['How to', 'My first', 'Why I', 'Top 10', 'The best', 'Day in', 'POV:', 'Trying the'];

/** The word of a frequency rank: the commoner, the shorter. */
function wordOf(rank: number): string {
  let word = '';
  for (let left = rank + 1; left > 0; left = Math.floor(left / SYLLABLES.length))
    word += SYLLABLES[left % SYLLABLES.length];
  return word;
}
const WORDS = Array.from({ length: VOCABULARY }, (_, rank) => wordOf(rank));

/** A rank from 0 on, as often as one over it. */
const zipf = (rng: Rng, count: number) => Math.min(count - 1, Math.floor(count ** rng.uniform()) - 1);

function word(rng: Rng): string {
  const kind = rng.uniform();
  const common = WORDS[zipf(rng, VOCABULARY)] ?? '';
  if (kind < 0.93) return common;
  if (kind < 0.96) return `${common}${rng.int(100_000)}`;
  if (kind < 0.98) return common + common.slice(-1).repeat(3);
  if (kind < 0.99) return rng.pick(ACCENTED);
  return rng.pick(UNSPACED);
}

function text(rng: Rng, least: number, most: number): string {
  const words = Array.from({ length: least + rng.int(most - least + 1) }, () => word(rng));
  if (rng.uniform() < 0.6) words[0] = `${words[0]?.charAt(0).toUpperCase()}${words[0]?.slice(1)}`;
  if (rng.uniform() < 0.3) words[rng.int(words.length)] += rng.pick([',', '!', '...', ' -', "'s"]);
  if (rng.uniform() < 0.2) words.push(rng.pick(EMOJI));
  return words.join(rng.uniform() < 0.02 ? '\n' : ' ');
}

function tags(rng: Rng, topic: number, firstTagRank: number): string[] {
  return Array.from({ length: 2 + rng.int(7) }, () => {
    const kind = rng.uniform();
    const common = WORDS[firstTagRank + zipf(rng, 3000)] ?? '';
    if (kind < 0.3) return `topic ${topic} ${WORDS[zipf(rng, 40)]}`;
    if (kind < 0.85) return rng.uniform() < 0.1 ? `#${common.toUpperCase()}` : common;
    if (kind < 0.93) return `${common} ${word(rng)}`;
    if (kind < 0.97) return `${common}${rng.int(1_000_000)}`;
    return rng.pick([...UNSPACED, ...ACCENTED, ...EMOJI, '']);
  });
}

/** The commonest words, which nobody takes for a tag. */
export const FUNCTION_WORDS = 150;

/**
 * Record `index` of the corpus of this seed.
 *
 * @param firstTagRank rank of the commonest word that is a tag; with 0 nearly every text spells a tag of every video
 */
export function webRecord(seed: number, index: number, firstTagRank = 0): VideoRecord {
  const rng = new Rng(seed, 'web-record').fork(index);
  const topic = zipf(rng, TOPICS);
  const title = rng.uniform() < 0.25 ? `${rng.pick(OPENINGS)} ${text(rng, 1, 6)}` : text(rng, 3, 12);
  const comments = Array.from({ length: 5 + rng.int(4) }, () => ({ text: text(rng, 2, 16), likes: zipf(rng, 5000) }));
  return {
    id: `video-${seed}-${index}`,
    video_path: `videos/${index % 256}/${index}.mp4`,
    // One in fifty has the words of another.
    title: rng.uniform() < 0.02 ? `${rng.pick(OPENINGS)} ${WORDS[rng.int(20)]}` : title,
    ...(rng.uniform() < 0.97 ? { description: text(rng, 8, 40) } : {}),
    tags: tags(rng, topic, firstTagRank),
    ...(rng.uniform() < 0.98 ? { topic: `topic ${topic}` } : {}),
    ...(rng.uniform() < 0.98 ? { category: `category ${zipf(rng, CATEGORIES)}` } : {}),
    comments: rng.uniform() < 0.98 ? comments : [],
    stats: { like: rng.int(100_000), comment: comments.length },
    duration_sec: 5 + rng.int(300),
    lang: 'en',
  };
}
