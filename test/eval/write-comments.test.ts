import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/base/errors.js';
import { commentMetrics, writeComments } from '../../src/eval/write-comments.js';

const request = (id: string, references: string[]) => ({
  id,
  videoId: id,
  videoPath: `${id}.mp4`,
  task: 'comment' as const,
  references,
});
const requests = [request('a', ['abcd', 'ab']), request('b', ['abcdef']), request('c', ['x'.repeat(100)])];

describe('writeComments', () => {
  it('counts a video that cannot be used and goes on', async () => {
    const written = await writeComments(async ({ id }) => {
      if (id === 'b') throw new DataError('E_VIDEO_EMPTY', 'no frames');
      return `comment ${id}`;
    }, requests);
    expect(written.map(({ text }) => text)).toEqual(['comment a', null, 'comment c']);
    expect(written[1]?.error).toEqual({ code: 'E_VIDEO_EMPTY', message: 'no frames' });
  });

  it('stops at other errors', async () => {
    await expect(writeComments(() => Promise.reject(new Error('device lost')), requests)).rejects.toThrow(
      'device lost',
    );
  });
});

describe('commentMetrics', () => {
  it('counts n-grams, lengths and failures by hand', () => {
    const written = [
      { id: 'a', videoId: 'a', text: 'so cute, so cute' },
      { id: 'b', videoId: 'b', text: ' ' },
      { id: 'c', videoId: 'c', text: null },
    ];
    expect(commentMetrics(written, requests)).toEqual({
      written: 2,
      failed: 1,
      empty: 0.5,
      distinct1: 2 / 4,
      distinct2: 2 / 3, // so cute, cute so, so cute
      meanChars: (16 + 1) / 2,
      referenceMeanChars: (4 + 2 + 6) / 3, // only of videos that got a comment
    });
  });
});
