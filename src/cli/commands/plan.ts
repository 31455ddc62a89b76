import { PRECISIONS, parseDevice } from '../../backend/device-option.js';
import { ConfigError } from '../../base/errors.js';
import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { JSON_FLAG } from './shared-flags.js';

export const plan = defineCommand({
  flags: {
    config: { type: 'string', alias: 'c', describe: 'YAML file of a training run to plan' },
    checkpoint: { type: 'string', describe: 'folder of a model that is to answer: plans choose and serve' },
    video: { type: 'string', describe: 'with --checkpoint: a video file to count with' },
    frames: { type: 'number', integer: true, min: 1, describe: 'frames of the full sequence; default 16' },
    precision: { type: 'string', choices: PRECISIONS, describe: 'default bf16 for a GPU, fp32 for a CPU' },
    device: { type: 'string', check: parseDevice, describe: 'cpu (default), or cuda: it need not be there' },
    probe: {
      type: 'boolean',
      default: false,
      describe: 'measures how fast the device multiplies matrices, and says how long the work takes at least',
    },
    ...JSON_FLAG,
  },
  takesOverrides: true,
  examples: [
    ['mimic plan -c configs/mimic-chat-8b.yaml --device cuda', 'tokens, memory and steps of a training run'],
    ['mimic plan --checkpoint weights/internvl2.5-8b --precision bf16', 'whether a model can answer on this machine'],
    [
      'mimic plan -c configs/mimic-chat-8b.yaml --train.maxLength=8192 --probe --json',
      'with settings on top of the file, and times, for a script',
    ],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user],
  async run({ config, checkpoint, video, json, ...options }, { overrides }) {
    if ((config === undefined) === (checkpoint === undefined)) {
      throw new ConfigError('E_USAGE', 'mimic plan: give either -c FILE or --checkpoint DIR', {
        hint: 'mimic plan --help',
      });
    }
    const { formatPlan } = await import('../../plan/format-plan.js');
    const planned =
      checkpoint === undefined
        ? (await import('../../plan/plan-training.js')).planTraining({
            configFile: config ?? '',
            overrides,
            ...options,
          })
        : (await import('../../plan/plan-inference.js')).planInference({ checkpoint, video, ...options });
    const result = await planned;
    process.stdout.write(json ? `${JSON.stringify(result)}\n` : `${formatPlan(result)}\n`);
    return EXIT_CODE.done;
  },
});
