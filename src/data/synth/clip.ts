/** Pixels of a synthetic clip. Lengths below are pixels of the 128 x 128 canvas that is halved to 64 x 64. */
import { Rng } from '../../base/rng.js';
import { Canvas, disc, plus, type Rgb, rectangle, type Shape, triangle } from './canvas.js';
import type { Facts } from './facts.js';
import { CLIP_FRAMES } from './record.js';

/** Width and height of a frame in pixels. */
export const CLIP_SIZE = 64;
const CANVAS_SIZE = 2 * CLIP_SIZE;
const CENTER = CANVAS_SIZE / 2;
/** Frames after which everything repeats; divides the step between sampled frames, so those all show `SAMPLED_PHASE`. */
export const PERIOD = 4;
export const SAMPLED_PHASE = 2;
const NOISE_SIGMA = 4;
const OUTLINE = 3;
const DISC_MARGIN = 8;
const LAMP_HALF = 11;
const LAMP_INSET = 17;

const COLORS: Readonly<Record<Facts['color'], Rgb>> = {
  red: [214, 48, 40],
  blue: [48, 88, 214],
  yellow: [236, 204, 40],
  purple: [142, 60, 180],
};
const BACKGROUNDS: Readonly<Record<Facts['bg'], Rgb>> = {
  beach: [226, 200, 146],
  night: [30, 34, 78],
  meadow: [92, 158, 70],
  brick: [156, 76, 56],
};
const BLACK: Rgb = [0, 0, 0];
const WHITE: Rgb = [255, 255, 255];
const LAMP_OFF: Rgb = [44, 44, 44];
const LAMP_ON: Rgb = [255, 244, 190];

/** Quarter turns per frame on the diamond, relative to the sampled phase. */
const QUARTER_TURNS: Readonly<Record<Facts['motion'], number>> = {
  clockwise: 1,
  anticlockwise: -1,
  hopping: 2,
  resting: 0,
};
const LIT_PHASES: Readonly<Record<Facts['lamp'], readonly number[]>> = {
  dark: [],
  single: [0],
  double: [3, 1],
  steady: [3, 0, 1],
};
/** Places on the diamond from the top, clockwise: (x, y) in radii, y down. */
const DIAMOND = [
  [0, -1],
  [1, 0],
  [0, 1],
  [-1, 0],
] as const;

const SHAPES: Readonly<Record<Facts['shape'], (radius: number) => Shape>> = {
  ball: disc,
  box: (radius) => rectangle(0.88 * radius, 0.88 * radius),
  kite: (radius) => triangle(1.2 * radius),
  star: (radius) => plus(radius, 0.36 * radius),
};

/** What a clip adds to its facts: sizes and shades, none of them in the metadata. */
interface Look {
  readonly radius: number;
  readonly diamondRadius: number;
  readonly fill: Rgb;
  readonly background: Rgb;
}

/**
 * The frames of a clip.
 *
 * @param rng draws sizes, shades and noise: equal facts never give equal pixels
 * @returns RGB, uint8 [33, 64, 64, 3]
 */
export function drawClip(facts: Facts, rng: Rng): Uint8Array {
  const pictures = drawPictures(facts, drawLook(facts, rng));
  return addNoise(pictures, rng);
}

/** The four noiseless pictures of a period, each float32 [64, 64, 3]; picture 2 is what sampled frames show. */
export function drawPictures(facts: Facts, look: Look): Float32Array[] {
  return Array.from({ length: PERIOD }, (_, phase) => drawPicture(facts, look, phase));
}

export function drawLook(facts: Facts, rng: Rng): Look {
  const brightness = 0.88 + 0.2 * rng.uniform();
  const jitter = (level: number) => Math.min(255, Math.max(0, level + rng.int(31) - 15));
  const [red, green, blue] = COLORS[facts.color];
  const [backRed, backGreen, backBlue] = BACKGROUNDS[facts.bg];
  return {
    radius: 15 + 3 * rng.uniform(),
    diamondRadius: 31 + 4 * rng.uniform(),
    fill: [jitter(red), jitter(green), jitter(blue)],
    background: [backRed * brightness, backGreen * brightness, backBlue * brightness],
  };
}

function drawPicture(facts: Facts, look: Look, phase: number): Float32Array {
  const canvas = new Canvas(CANVAS_SIZE, look.background);
  const far = CANVAS_SIZE - LAMP_INSET;
  const lampX = facts.layout.endsWith('left') ? LAMP_INSET : far;
  const lampY = facts.layout.startsWith('top') ? LAMP_INSET : far;
  const lamp = rectangle(LAMP_HALF, LAMP_HALF);
  canvas.paint(lamp, lampX, lampY, LAMP_HALF + 1, BLACK);
  canvas.paint(lamp, lampX, lampY, LAMP_HALF + 1, LIT_PHASES[facts.lamp].includes(phase) ? LAMP_ON : LAMP_OFF, -2);

  const turns = (phase - SAMPLED_PHASE) * QUARTER_TURNS[facts.motion];
  const [unitX, unitY] = DIAMOND[((turns % PERIOD) + PERIOD) % PERIOD] ?? DIAMOND[0];
  const x = CENTER + look.diamondRadius * unitX;
  const y = CENTER + look.diamondRadius * unitY;
  const shape = SHAPES[facts.shape](look.radius);
  const discRadius = look.radius + DISC_MARGIN;
  canvas.paint(disc(discRadius), x, y, discRadius + 1, WHITE);
  canvas.paint(shape, x, y, discRadius, BLACK);
  canvas.paint(shape, x, y, discRadius, look.fill, -OUTLINE);
  return canvas.halved();
}

/** Normal deviates shared by all clips; a power of two long. */
const NOISE_TABLE_LENGTH = 1 << 17;
let noiseTable: Float32Array | undefined;

function noise(): Float32Array {
  if (noiseTable === undefined) {
    const rng = new Rng(0, 'clip-noise');
    noiseTable = Float32Array.from({ length: NOISE_TABLE_LENGTH }, () => NOISE_SIGMA * rng.normal());
  }
  return noiseTable;
}

/**
 * Repeats the period to the length of a clip under Gaussian noise. Every row of every frame is a run of one long table
 * from a random place: 2112 draws a clip in place of 405 504.
 */
function addNoise(pictures: readonly Float32Array[], rng: Rng): Uint8Array {
  const table = noise();
  const rowLength = CLIP_SIZE * 3;
  const frameLength = CLIP_SIZE * rowLength;
  const frames = new Uint8ClampedArray(CLIP_FRAMES * frameLength);
  for (let frame = 0; frame < CLIP_FRAMES; frame++) {
    const picture = pictures[frame % PERIOD] ?? new Float32Array();
    for (let row = 0; row < CLIP_SIZE; row++) {
      const from = rng.int(NOISE_TABLE_LENGTH - rowLength);
      const at = row * rowLength;
      const to = frame * frameLength + at;
      for (let i = 0; i < rowLength; i++) frames[to + i] = (picture[at + i] ?? 0) + (table[from + i] ?? 0);
    }
  }
  return new Uint8Array(frames.buffer);
}
