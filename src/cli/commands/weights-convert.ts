import { CONVERT_TARGETS } from '../../adapters/convert-targets.js';
import { log } from '../../base/logger.js';
import { Progress } from '../../base/progress.js';
import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { JSON_FLAG, OUT_FOLDER_FLAG } from './shared-flags.js';

export const weightsConvert = defineCommand({
  flags: {
    from: { type: 'string', demandOption: true, describe: 'folder or file of weights' },
    ...OUT_FOLDER_FLAG,
    to: {
      type: 'string',
      choices: CONVERT_TARGETS,
      describe:
        'names and config: opengvlab (without it, for an InternVL), hf (without it, for a TimeSformer), or mimic, with config.yaml',
    },
    dtype: { type: 'string', choices: ['bf16', 'fp32'], describe: "without it each tensor's own" },
    ...JSON_FLAG,
  },
  examples: [
    [
      'mimic weights convert --from timesformer/pytorch_model.bin --out timesformer-hr',
      'a pickle to safetensors; its code is never run',
    ],
    [
      'mimic weights convert --from weights/InternVL2_5-8B-hf --out weights/InternVL2_5-8B',
      '-hf names to those of OpenGVLab',
    ],
    ['mimic weights convert --from merged --out merged-hf --to hf --dtype bf16 --json', 'for transformers, rounded'],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user],
  async run({ json, ...options }) {
    const { convertCheckpoint } = await import('../../adapters/convert.js');
    let progress: Progress | undefined;
    const result = await convertCheckpoint({
      ...options,
      onTensor: (done, total) => {
        progress ??= new Progress('tensors', { total });
        progress.update(done);
      },
    }).finally(() => progress?.end());
    if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
    else log.info(`${result.out}: ${result.tensors} tensors in ${result.files.length} files, layout ${result.to}`);
    return EXIT_CODE.done;
  },
});
