/** Dropout: the mask is a function of seed and element, so it must be the very same everywhere. */
import { philox4x32 } from '../../../base/rng.js';
import { givenStored, type KernelCall, normals, resultStored } from '../kernel-call.js';
import { at, fill } from './math.js';
import type { Shapes } from './shapes.js';

const RATE = 0.3;
/** "drop" in ASCII. */
const STREAM = 0x64726f70;

export function dropoutCalls({ lengths }: Shapes): KernelCall[] {
  return lengths.map((length): KernelCall => {
    const seed = 12345;
    const threshold = Math.round(RATE * 2 ** 32);
    const scale = Math.fround(1 / (1 - RATE));
    return {
      kernel: 'dropout',
      shape: `${length}`,
      args: [
        ...[givenStored(normals(length)), resultStored(length), Math.floor(length / 4), length % 4],
        ...[seed, threshold, scale],
      ],
      expected: (x) => {
        const words = new Uint32Array(4);
        return [
          fill(length, (i) => {
            if (i % 4 === 0) philox4x32([i / 4, 0, 0, 0], [seed, STREAM], words);
            return at(words, i % 4) < threshold ? 0 : at(x, i) * scale;
          }),
        ];
      },
    };
  });
}
