import { basename } from 'node:path';
import { hashLabel } from '../../../src/base/rng.js';
import { videoKey } from '../../../src/data/video/open-video.js';
import { randomVideo } from '../../support/tiny-model.js';
import { tinyRun } from '../../support/tiny-run.js';

/** Six steps with a checkpoint after every second one; the pixels are the same in every folder. */
export async function crashRun(folder: string): ReturnType<typeof tinyRun> {
  const train = { epochs: 2, accumulate: 1, evalEverySteps: 100, saveEverySteps: 2 };
  const { config } = await tinyRun(folder, { train: 6, validation: 2 }, { train });
  return { config, frames: async (input) => randomVideo(config.model, hashLabel(basename(videoKey(input))), 4) };
}
