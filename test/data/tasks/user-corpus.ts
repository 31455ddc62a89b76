import type { VideoRecord } from '../../../src/data/record.js';

/** A small corpus as users write: several tags a video, free titles, an unspaced script, uneven comment counts. */
const ROWS: readonly (readonly [topic: string, category: string, title: string, tags: string, description: string])[] =
  [
    ['pets', 'daily life', 'My cat learned to open doors', 'cat pets funny', 'She does it every night now'],
    ['pets', 'daily life', 'Our kitten meets the dog', 'cat dog pets', 'First day together'],
    ['pets', 'humor', 'This parrot swears at guests', 'parrot pets funny', 'We are so sorry'],
    ['food', 'knowledge', 'My secret to crispy potatoes', 'cooking potatoes recipe', 'It is the baking soda'],
    ['food', 'knowledge', 'How to fold dumplings fast', 'cooking dumplings recipe', 'Grandma taught me this'],
    ['food', 'fun moments', 'Street food tour of Osaka', 'streetfood osaka travel', 'Day two of our trip'],
    ['sports', 'knowledge', 'How to juggle three balls', 'juggling tutorial', 'Start with one ball'],
    ['sports', 'fun moments', 'He missed an open goal', 'football fail funny', 'From five meters'],
    ['sports', 'daily life', 'Our team won the derby', 'football win', 'What a night'],
    ['music', 'daily life', 'My first song on stage', 'singing live', 'I was shaking'],
    ['music', 'knowledge', 'How to tune a guitar', 'guitar tutorial', 'No app needed'],
    ['music', 'humor', 'Recorder cover gone wrong', 'recorder cover funny', 'Headphones off please'],
    ['travel', 'daily life', '今天去看海', '旅行 海', '风很大'],
    ['travel', 'daily life', 'Our trip to the sea', 'travel sea', 'It was windy'],
  ];

const MOODS = 'lovely awful strange brilliant boring hilarious touching loud quiet perfect messy brave'.split(' ');
const THINGS = 'ending music idea light voice colours start timing mood cut'.split(' ');

export const userCorpus: readonly VideoRecord[] = ROWS.map(([topic, category, title, tags, description], i) => ({
  id: `video-${i}`,
  video_path: `${i}.mp4`,
  title,
  description,
  tags: tags.split(' '),
  topic,
  category,
  comments: Array.from({ length: 5 + 12 * (i % 10) }, (_, j) => ({
    text: `${MOODS[j % 12]} ${THINGS[Math.floor(j / 12)]} about ${title}`,
    likes: (j * 37) % 500,
  })),
}));

/** The record of a title that starts so. */
export function recordOf(start: string): VideoRecord {
  const record = userCorpus.find(({ title }) => title?.startsWith(start));
  if (record === undefined) throw new Error(`no title starts with ${start}`);
  return record;
}
