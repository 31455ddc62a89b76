import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { BACKEND_FLAGS, CHECKPOINT_FLAG, JSON_FLAG, SEED_FLAG, VIDEO_FLAG } from './shared-flags.js';

export const comment = defineCommand({
  flags: {
    ...CHECKPOINT_FLAG,
    ...VIDEO_FLAG,
    n: { type: 'number', integer: true, min: 1, default: 3, describe: 'how many comments' },
    ...SEED_FLAG,
    temperature: { type: 'number', min: 0, default: 0.8, describe: '0 = always the most likely token' },
    'top-p': { type: 'number', min: 0, max: 1, default: 0.9, describe: 'keeps the likeliest tokens up to this mass' },
    'top-k': { type: 'number', integer: true, min: 0, default: 0, describe: 'keeps the k likeliest tokens; 0 = all' },
    'repetition-penalty': { type: 'number', min: 0, default: 1, describe: 'above 1 makes repeated tokens less likely' },
    'max-tokens': { type: 'number', integer: true, min: 1, default: 64, describe: 'longest comment, tokens' },
    ...JSON_FLAG,
    ...BACKEND_FLAGS,
  },
  examples: [
    ['mimic comment --checkpoint checkpoints/run/best --video clip.mp4', 'three comments'],
    ['mimic comment --checkpoint checkpoints/run/best --video clip.mp4 --n 1 --temperature 0', 'the most likely one'],
    [
      'mimic comment --checkpoint checkpoints/run/best --video clip.mp4 --n 10 --seed 4 --top-p 0.95 --json',
      'for a script',
    ],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user],
  async run({
    'top-p': topP,
    'top-k': topK,
    'repetition-penalty': repetitionPenalty,
    'max-tokens': maxTokens,
    ...options
  }) {
    const { runComment } = await import('../../infer/run-comment.js');
    await runComment({ topP, topK, repetitionPenalty, maxTokens, ...options });
    return EXIT_CODE.done;
  },
});
