import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/rng.js';
import { CLIP_SIZE, drawClip, drawLook, drawPictures } from '../../../src/data/synth/clip.js';
import { drawFacts, FACT_VALUES, type Facts } from '../../../src/data/synth/facts.js';
import { CLIP_FRAMES } from '../../../src/data/synth/record.js';

const FRAME_BYTES = CLIP_SIZE * CLIP_SIZE * 3;
/** Segment centres of eight frames out of 33. */
const SAMPLED = [2, 6, 10, 14, 18, 22, 26, 30];
const facts: Facts = {
  shape: 'star',
  color: 'red',
  bg: 'night',
  layout: 'lowleft',
  motion: 'clockwise',
  lamp: 'double',
};
const frame = (clip: Uint8Array, i: number) => clip.subarray(i * FRAME_BYTES, (i + 1) * FRAME_BYTES);
const variants = FACT_VALUES.motion.flatMap((motion) =>
  FACT_VALUES.lamp.map((lamp): Facts => ({ ...facts, motion, lamp })),
);

describe('drawClip', () => {
  it('shows motion and lamp in the full sequence, and not in the sampled frames', () => {
    const clips = variants.map((variant) => drawClip(variant, new Rng(5, 'pixels')));
    const [first] = clips;
    if (first === undefined) throw new Error('no clip');
    for (const clip of clips) {
      for (const i of SAMPLED) expect(Buffer.compare(frame(clip, i), frame(first, i))).toBe(0);
    }
    expect(new Set(clips.map((clip) => Buffer.from(clip).toString('base64'))).size).toBe(variants.length);
  });

  it('gives each shape, colour, background and layout a picture of its own', () => {
    const look = (variant: Facts) => drawLook(variant, new Rng(1));
    const kinds = ['shape', 'color', 'bg', 'layout'] as const;
    const pictures = kinds.flatMap((kind) =>
      FACT_VALUES[kind].map((value) => {
        const variant = { ...facts, [kind]: value };
        return drawPictures(variant, look(variant))[2]?.join();
      }),
    );
    // The four kinds share the unchanged clip.
    expect(new Set(pictures).size).toBe(4 * 4 - 3);
  });

  it('repeats four pictures under Gaussian noise of sigma 4', () => {
    const rng = new Rng(8, 'noise');
    const clip = drawClip(facts, rng.fork('a'));
    const pictures = drawPictures(facts, drawLook(facts, rng.fork('a')));
    expect(clip).toHaveLength(CLIP_FRAMES * FRAME_BYTES);
    let sum = 0;
    let squares = 0;
    let count = 0;
    for (let i = 0; i < CLIP_FRAMES; i++) {
      const picture = pictures[i % 4] ?? new Float32Array();
      for (const [j, level] of frame(clip, i).entries()) {
        const clean = picture[j] ?? 0;
        if (clean < 25 || clean > 230) continue;
        sum += level - clean;
        squares += (level - clean) ** 2;
        count++;
      }
    }
    // Measured: mean 0.0004, sigma 4.011 (rounding to uint8 adds a variance of 1/12).
    expect(Math.abs(sum / count)).toBeLessThan(0.05);
    expect(Math.sqrt(squares / count)).toBeCloseTo(Math.sqrt(16 + 1 / 12), 1);
  });

  it('never gives equal pixels to equal facts, and always to equal random numbers', () => {
    const pixels = (seed: number) => Buffer.from(drawClip(facts, new Rng(seed)));
    expect(pixels(1).equals(pixels(1))).toBe(true);
    expect(pixels(1).equals(pixels(2))).toBe(false);
  });

  it('keeps object and lamp apart: the lamp is whole in every picture', () => {
    const rng = new Rng(3, 'overlap');
    for (let n = 0; n < 40; n++) {
      const drawn = drawFacts(rng);
      const look = drawLook(drawn, rng);
      const still = drawPictures({ ...drawn, motion: 'resting', lamp: 'dark' }, look)[0];
      for (const picture of drawPictures({ ...drawn, lamp: 'dark' }, look)) {
        const corner = drawn.layout.startsWith('top') ? 0 : CLIP_SIZE - 14;
        const side = drawn.layout.endsWith('left') ? 0 : CLIP_SIZE - 14;
        for (let y = corner; y < corner + 14; y++) {
          for (let x = side; x < side + 14; x++) {
            const at = (y * CLIP_SIZE + x) * 3;
            expect(picture[at]).toBe(still?.[at]);
          }
        }
      }
    }
  });
});
