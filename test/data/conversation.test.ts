import { describe, expect, it } from 'vitest';
import { dialogueOf } from '../../src/data/conversation.js';
import { VideoRecord } from '../../src/data/record.js';

const human = (value: string) => ({ from: 'human', value });
const gpt = (value: string) => ({ from: 'gpt', value });

/** `path: message` of each problem. */
function problemsOf(record: object): string[] {
  const { error } = VideoRecord.safeParse({ id: 'a', ...record });
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('a record with a conversation', () => {
  const talk = [human('Hello'), gpt('Hi')];

  it.each<[string, object]>([
    ['text alone', { conversations: talk }],
    ['several turns and a system turn', { conversations: [{ from: 'system', value: 'Be brief.' }, ...talk, ...talk] }],
    ['a picture', { image: 'a.jpg', conversations: [human('<image>\nWhat?'), gpt('A cat.')] }],
    ['a picture behind the question', { images: ['a.jpg'], conversations: [human('What?\n<image>'), gpt('A cat.')] }],
    [
      'numbered pictures',
      { image: ['a.jpg', 'b.jpg'], conversations: [human('Image-1: <image>\nImage-2: <image>\nWhich?'), gpt('One.')] },
    ],
    ['a video, placeholder left out', { video_path: 'a.mp4', conversations: talk }],
    ['a text that speaks of the tag', { conversations: [human('Why does <video> not play?'), gpt('Use <image>.')] }],
  ])('may be %s', (_, record) => {
    expect(problemsOf(record)).toEqual([]);
  });

  it.each<[string, object, string]>([
    [
      'no source and no words',
      {},
      'video_path: expected either video_path, or frames with frame_times_sec; or conversations, for text alone',
    ],
    [
      'two sources',
      { video: 'a.mp4', image: 'a.jpg', conversations: talk },
      'image: stands beside video, expected one of the two',
    ],
    [
      'pictures without turns',
      { images: ['a.jpg'] },
      'conversations: expected turns about the pictures: the tasks are about videos',
    ],
    [
      'two human turns in a row',
      { conversations: [human('a'), human('b')] },
      'conversations.1.from: got human, expected gpt',
    ],
    [
      'no last answer',
      { conversations: [...talk, human('b')] },
      'conversations.2.from: a turn without an answer, expected gpt at the end',
    ],
    [
      'an empty answer',
      { conversations: [human('a'), gpt(' ')] },
      'conversations.1.value: got an empty answer, expected what the model is to learn',
    ],
    [
      'too few placeholders',
      { images: ['a.jpg', 'b.jpg'], conversations: [human('<image>\nWhich?'), gpt('One.')] },
      'conversations.0.value: got <image>, expected none or 2 <image>, as many as the record has',
    ],
    [
      'a placeholder of another kind',
      { image: 'a.jpg', conversations: [human('<video>\nWhat?'), gpt('A cat.')] },
      'conversations.0.value: got <video>, expected none or 1 <image>, as many as the record has',
    ],
    [
      'a placeholder inside',
      { image: 'a.jpg', conversations: [human('See <image> here'), gpt('Yes.')] },
      'conversations.0.value: got <image> inside a text, expected it at the beginning of the first human turn',
    ],
    [
      'a placeholder for nothing',
      { conversations: [human('<image>\nWhat?'), gpt('A cat.')] },
      'conversations.0.value: got <image>, and the record names none',
    ],
  ])('is refused with %s', (_, record, problem) => {
    expect(problemsOf(record)).toEqual([problem]);
  });

  it("takes InternVL's names for its own", () => {
    expect(VideoRecord.parse({ id: 'a', image: 'a.jpg', conversations: talk })).toMatchObject({ images: ['a.jpg'] });
    const video = VideoRecord.parse({ id: 'a', video: 'a.mp4' });
    expect(video).toMatchObject({ video_path: 'a.mp4' });
    expect(video).not.toHaveProperty('video');
  });
});

describe('dialogueOf', () => {
  it('takes the placeholders off the first prompt, and the system turn apart', () => {
    const conversation = VideoRecord.parse({
      id: 'a',
      image: ['a.jpg', 'b.jpg'],
      conversations: [
        { from: 'system', value: 'Be brief.' },
        human('<image>\n<image>\nWhich is larger?'),
        gpt('The first.'),
        human('Sure?'),
        gpt('Yes.'),
      ],
    }).conversations;
    expect(dialogueOf(conversation ?? [], { images: 2, video: 0 })).toEqual({
      systemPrompt: 'Be brief.',
      turns: [
        { prompt: 'Which is larger?', answer: 'The first.' },
        { prompt: 'Sure?', answer: 'Yes.' },
      ],
    });
  });

  it('leaves the tags of a text alone', () => {
    const turns = [human('<video>, what is it?'), gpt('A tag.')] as Parameters<typeof dialogueOf>[0];
    expect(dialogueOf(turns, { images: 0, video: 0 }).turns[0]?.prompt).toBe('<video>, what is it?');
  });
});
