import { webRecord } from '../../../bench/web-records.js';
import { Rng } from '../../../src/base/rng.js';
import type { VideoRecord } from '../../../src/data/record.js';
import { drawFacts } from '../../../src/data/synth/facts.js';
import { makeRecord } from '../../../src/data/synth/record.js';
import { userCorpus } from './user-corpus.js';

const ANIMALS = ['cat', 'dog', 'hen', 'cow', 'parrot', 'kitten', 'horse', 'goat'];
const PLACES = ['beach', 'pool', 'barn', 'park', 'home', 'yard'];
const SOUNDS = ['quiet', 'loud', 'sooo loud', 'noisy', 'mute'];

/** Thousands of ties and words that more texts share than are compared; animals replace each other, as places do. */
function tied(index: number): VideoRecord {
  const rng = new Rng(9, 'tied').fork(index);
  const [animal, place, sound] = [rng.pick(ANIMALS), rng.pick(PLACES), rng.pick(SOUNDS)];
  return {
    id: `tied-${index}`,
    video_path: `${index}.mp4`,
    title: `My ${animal} at the ${place}${rng.uniform() < 0.3 ? ` ${index % 90}` : ''}`,
    description: `A ${sound} ${animal} and a ${rng.pick(ANIMALS)} in the ${place}, ${rng.uniform() < 0.5 ? 'day' : 'night'} ${index % 50}`,
    tags: [
      animal,
      place,
      ...(rng.uniform() < 0.5 ? [sound] : []),
      ...(rng.uniform() < 0.1 ? [`${animal} ${place}`] : []),
    ],
    topic: rng.pick(['pets', 'farm', ' ', 'wild']),
    category: rng.pick(['humor', 'daily life', 'news', 'tips', '']),
    comments: Array.from({ length: rng.int(9) }, () => ({
      text: `${rng.pick(['Nice', 'nice!', 'Soooo nice', '🔥', '😂😂', 'What a'])} ${rng.pick(ANIMALS)} ${rng.int(40)}`,
      likes: rng.int(6),
    })),
  };
}

const synthetic = new Rng(4, 'golden');

/** Name -> the records of the index, and others that are asked about too. */
export const GOLDEN_CORPORA: Readonly<Record<string, readonly [VideoRecord[], VideoRecord[]]>> = {
  users: [
    [...userCorpus],
    userCorpus.map((record) => ({ ...record, title: `${record.title} again`, tags: ['cat', 'osaka', 'unheard of'] })),
  ],
  tied: [Array.from({ length: 1800 }, (_, i) => tied(i)), Array.from({ length: 60 }, (_, i) => tied(5000 + i))],
  web: [
    Array.from({ length: 2500 }, (_, i) => webRecord(3, i)),
    Array.from({ length: 100 }, (_, i) => webRecord(4, i)),
  ],
  synthetic: [Array.from({ length: 600 }, (_, i) => makeRecord(drawFacts(synthetic), synthetic, `s-${i}`)), []],
  few: [Array.from({ length: 5 }, (_, i) => webRecord(7, i)), [webRecord(8, 1)]],
  one: [[webRecord(7, 0)], []],
};
