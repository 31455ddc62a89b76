import { log } from '../../base/logger.js';
import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { JSON_FLAG, OUT_FOLDER_FLAG } from './shared-flags.js';

export const weightsImportPeft = defineCommand({
  flags: {
    adapter: {
      type: 'string',
      demandOption: true,
      describe: 'folder with adapter_config.json and adapter_model.safetensors',
    },
    base: { type: 'string', demandOption: true, describe: 'folder of the model that the adapter was trained on' },
    ...OUT_FOLDER_FLAG,
    config: {
      type: 'string',
      alias: 'c',
      describe: "YAML file whose model, prompt and video sections to take; without it the adapter's or the base's own",
    },
    ...JSON_FLAG,
  },
  examples: [
    [
      'mimic weights import-peft --adapter adapter --base weights/InternVL2_5-8B --out model',
      'a checkpoint to ask and serve',
    ],
    [
      'mimic weights import-peft --adapter adapter --base weights/InternVL2_5-8B --out model -c configs/mimic-chat-8b.yaml',
      "with a run's settings around it",
    ],
    [
      'mimic weights import-peft --adapter adapter --base demo/base --out model --json',
      'rank, alpha and targets, for a script',
    ],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user],
  async run({ json, ...options }) {
    const { importPeft } = await import('../../adapters/import-peft.js');
    const result = await importPeft(options);
    if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
    else {
      const { out, linears, rank, alpha, targets, moduleTensors } = result;
      const beside = moduleTensors === 0 ? '' : `, ${moduleTensors} other tensors`;
      log.info(`${out}: ${linears} linears (${targets.join(', ')}), rank ${rank}, alpha ${alpha}${beside}`);
    }
    return EXIT_CODE.done;
  },
});
