import { log } from '../../base/logger.js';
import { Progress } from '../../base/progress.js';
import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { BACKEND_FLAGS, CHECKPOINT_FLAG, JSON_FLAG, OUT_FOLDER_FLAG } from './shared-flags.js';

export const weightsMerge = defineCommand({
  flags: {
    ...CHECKPOINT_FLAG,
    ...OUT_FOLDER_FLAG,
    dtype: { type: 'string', choices: ['bf16', 'fp32'], describe: "of the merged weights; without it the base's" },
    verify: {
      type: 'boolean',
      default: false,
      describe: 'compares logits of base and adapter with those of the merged model, and refuses on drift',
    },
    prompts: { type: 'string', describe: 'text file for --verify, a prompt a line; without it four built-in ones' },
    video: { type: 'string', describe: 'video file for --verify: the prompts are asked about it too' },
    tolerance: {
      type: 'number',
      min: 0,
      describe: 'drift that --verify accepts, as a part of the largest logit; without it 1e-4 for fp32, 0.05 for bf16',
    },
    ...JSON_FLAG,
    ...BACKEND_FLAGS,
  },
  examples: [
    ['mimic weights merge --checkpoint checkpoints/run/best --out merged', 'one folder that needs no base'],
    [
      'mimic weights merge --checkpoint checkpoints/run/best --out merged --verify --video clip.mp4',
      'checked before it is kept',
    ],
    [
      'mimic weights merge --checkpoint checkpoints/run/best --out merged --dtype fp32 --verify --prompts prompts.txt --json',
      'on prompts of your own, with the figures for a script',
    ],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user],
  async run({ json, verify, prompts, video, tolerance, ...options }) {
    const { mergeCheckpoint } = await import('../../adapters/merge.js');
    const { checkDrift, readPrompts } = await import('../../infer/drift.js');
    const { backend, device, precision, threads, ...merge } = options;
    const asked = verify ? { prompts: await readPrompts(prompts), video, tolerance } : undefined;
    let progress: Progress | undefined;
    let drift: Awaited<ReturnType<typeof checkDrift>> | undefined;
    const result = await mergeCheckpoint({
      ...merge,
      onTensor: (done, total) => {
        progress ??= new Progress('tensors', { total });
        progress.update(done);
      },
      check: async (dir) => {
        progress?.end();
        if (asked === undefined) return;
        drift = await checkDrift(merge.checkpoint, dir, asked, { backend, device, precision, threads });
      },
    }).finally(() => progress?.end());
    if (json) process.stdout.write(`${JSON.stringify({ ...result, ...(drift === undefined ? {} : { drift }) })}\n`);
    else
      log.info(
        `${result.out}: ${result.tensors} tensors in ${result.files.length} files, ${result.merged} linears merged`,
      );
    return EXIT_CODE.done;
  },
});
