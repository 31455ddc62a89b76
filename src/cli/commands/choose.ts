import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { BACKEND_FLAGS, CHECKPOINT_FLAG, JSON_FLAG, VIDEO_FLAG } from './shared-flags.js';

export const choose = defineCommand({
  flags: {
    ...CHECKPOINT_FLAG,
    ...VIDEO_FLAG,
    question: { type: 'string', demandOption: true, describe: 'what is asked about the video' },
    options: { type: 'string', array: true, demandOption: true, describe: 'two to eight answers to choose from' },
    timings: { type: 'boolean', default: false, describe: 'adds the time of each stage and the peak memory' },
    ...JSON_FLAG,
    ...BACKEND_FLAGS,
  },
  examples: [
    [
      'mimic choose --checkpoint checkpoints/run/best --video clip.mp4 --question "Which title fits?" --options A1 B1 C1 D1',
      'the most likely of the answers',
    ],
    [
      'mimic choose --checkpoint demo/checkpoints/tuned/best --video clip.mp4 --question "Which topic?" --options food travel sport music --json',
      'with probabilities, for a script',
    ],
    [
      'mimic choose --checkpoint demo/checkpoints/tuned/best --video clip.mp4 --question "Which tag?" --options "slow motion" cats diy news --backend wasm',
      'on another backend',
    ],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user],
  async run(options) {
    const { runChoose } = await import('../../infer/run-choose.js');
    await runChoose(options);
    return EXIT_CODE.done;
  },
});
