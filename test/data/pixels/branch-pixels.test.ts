import { describe, expect, it } from 'vitest';
import { cropToSquare, squashToSquare } from '../../../src/data/pixels/branch-pixels.js';
import { resizePillow } from '../../../src/data/pixels/resize-pillow.js';
import { picture, sha256 } from './picture.js';
import goldens from './processors.json' with { type: 'json' };

describe('cropToSquare', () => {
  const { size, cases } = goldens.crops;

  it.each(cases)(
    "equals transformers' VideoMAE processor on $width x $height",
    ({ width, height, sha256: expected }) => {
      expect(sha256(cropToSquare(picture(width, height), size, 12))).toBe(expected);
    },
  );
});

describe('squashToSquare', () => {
  it('shows the whole picture, whatever its shape', () => {
    const image = picture(50, 20);
    expect(squashToSquare(image, 28, 'bicubic', 12)).toEqual(resizePillow(image, 28, 28, 'bicubic').data);
  });
});
