import { describe, expect, it } from 'vitest';
import { NativeSink } from '../../../src/data/video/native-sink.js';
import { picture, sha256 } from '../pixels/picture.js';

const ppm = (width: number, height: number) =>
  Buffer.concat([Buffer.from(`P6\n${width} ${height}\n255\n`), picture(width, height).data]);

/** What the sink hands on, as "width x height, hash of the bytes", when the stream comes in pieces of `bytes`. */
function feed(stream: Buffer, bytes: number, maxPixels = 1000): { seen: string[]; sink: NativeSink } {
  const seen: string[] = [];
  const sink = new NativeSink(maxPixels, ({ data, width, height }, number) => {
    expect(number).toBe(seen.length);
    seen.push(`${width} x ${height}, ${sha256(data)}`);
  });
  for (let at = 0; at < stream.length; at += bytes) sink.write(stream.subarray(at, at + bytes));
  return { seen, sink };
}

describe('NativeSink', () => {
  const sizes = [
    [7, 5],
    [7, 5],
    [1, 1],
    [12, 30],
  ] as const;
  const stream = Buffer.concat(sizes.map(([width, height]) => ppm(width, height)));
  const expected = sizes.map(([width, height]) => `${width} x ${height}, ${sha256(picture(width, height).data)}`);

  it('hands on every picture, wherever the stream is cut into pieces', () => {
    for (const bytes of [1, 2, 3, 7, 64, 1000, stream.length]) {
      const { seen, sink } = feed(stream, bytes);
      expect(seen).toEqual(expected);
      expect(sink.complaint(4)).toBeUndefined();
    }
  });

  it('tells of missing and of half pictures', () => {
    expect(feed(stream, 64).sink.complaint(5)).toBe('ffmpeg wrote 4 pictures, expected 5');
    const cut = stream.subarray(0, stream.length - 1);
    expect(feed(cut, 64).sink.complaint(3)).toBe('ffmpeg wrote 3 pictures and a part of one, expected 3');
    expect(feed(Buffer.concat([stream, Buffer.from('P6\n')]), 64).sink.complaint(4)).toContain('a part of one');
  });

  it('takes nothing that is no PPM picture, or larger than allowed', () => {
    expect(feed(Buffer.alloc(5000), 64).sink.complaint(0)).toBe('ffmpeg wrote no PPM picture');
    for (const size of ['100 11', '70000 1', '0 9', '99999999999999 1']) {
      const { sink, seen } = feed(Buffer.from(`P6\n${size}\n255\n and more`), 64);
      expect(sink.complaint(1)).toContain('the limits are 65535 a side, 1000 in all');
      expect(seen).toEqual([]);
    }
  });

  it('keeps an error of the receiver for the end instead of ending the process', () => {
    const sink = new NativeSink(1000, () => {
      throw new RangeError('no room');
    });
    sink.write(stream);
    expect(() => sink.complaint(4)).toThrow(new RangeError('no room'));
  });
});
