import { PEFT_LAYOUTS } from '../../adapters/lora-names.js';
import { log } from '../../base/logger.js';
import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { CHECKPOINT_FLAG, JSON_FLAG, OUT_FOLDER_FLAG } from './shared-flags.js';

export const weightsExportPeft = defineCommand({
  flags: {
    ...CHECKPOINT_FLAG,
    ...OUT_FOLDER_FLAG,
    layout: {
      type: 'string',
      choices: PEFT_LAYOUTS,
      default: 'whole',
      describe: 'what PEFT puts it on: lm, the bare language model; whole, InternVLChatModel; hf, the -hf class',
    },
    'base-model': { type: 'string', describe: 'name of the base to write down, e.g. OpenGVLab/InternVL2_5-8B' },
    ...JSON_FLAG,
  },
  examples: [
    ['mimic weights export-peft --checkpoint checkpoints/run/best --out adapter', 'for the whole InternVL model'],
    [
      'mimic weights export-peft --checkpoint checkpoints/run/best --out adapter --layout hf --base-model OpenGVLab/InternVL2_5-8B-hf',
      'for transformers, with the base named',
    ],
    [
      'mimic weights export-peft --checkpoint checkpoints/run/best --out adapter --layout lm --json',
      'for the language model alone; counts for a script',
    ],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user],
  async run({ json, 'base-model': baseModel, ...options }) {
    const { exportPeft } = await import('../../adapters/export-peft.js');
    const result = await exportPeft({ ...options, baseModel });
    if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
    else {
      const beside =
        result.moduleTensors === 0 ? '' : `, ${result.moduleTensors} tensors beside it that PEFT does not load`;
      log.info(
        `${result.out}: ${result.adapterTensors} tensors of rank ${result.rank}, layout ${result.layout}${beside}`,
      );
    }
    return EXIT_CODE.done;
  },
});
