import { ABLATIONS } from '../../model/config.js';
import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { BACKEND_FLAGS, CONFIG_FLAG } from './shared-flags.js';

export const train = defineCommand({
  flags: {
    ...CONFIG_FLAG,
    resume: { type: 'boolean', default: false, describe: 'continues from the newest complete checkpoint of the run' },
    'dry-run': {
      type: 'boolean',
      default: false,
      describe: 'one step without memory or data: checks settings and sizes, then stops',
    },
    ablate: {
      type: 'string',
      choices: ABLATIONS,
      describe: 'trains without one component (a row of the ablation table)',
    },
    json: {
      type: 'boolean',
      default: false,
      describe: 'prints one JSON object a step on stdout, and no progress line',
    },
    ...BACKEND_FLAGS,
  },
  takesOverrides: true,
  examples: [
    ['mimic train -c configs/demo.yaml --name=again', 'trains as the file says, under a name of its own'],
    ['mimic train -c configs/demo.yaml --name=again --resume', 'goes on after an interruption'],
    [
      'mimic train -c configs/mimic-chat-8b.yaml --train.learningRate=2e-5 --model.lora.targets=[wqkv,wo]',
      'settings on top of the file',
    ],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user, EXIT_CODE.interrupted],
  async run({ config, 'dry-run': dryRun, ...options }, { overrides }) {
    const { runTrain } = await import('../../train/run-train.js');
    const { answerProbe } = await import('../../eval/answer-probe.js');
    const { interrupted } = await runTrain({ configFile: config, overrides, dryRun, answerProbe, ...options });
    return interrupted ? EXIT_CODE.interrupted : EXIT_CODE.done;
  },
});
