import { ConfigError } from '../../base/errors.js';
import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { BACKEND_FLAGS, CHECKPOINT_FLAG, JSON_FLAG } from './shared-flags.js';

export const evaluate = defineCommand({
  flags: {
    bench: { type: 'string', demandOption: true, describe: 'JSONL of questions, as "mimic bench build" writes it' },
    checkpoint: { ...CHECKPOINT_FLAG.checkpoint, demandOption: false },
    model: { type: 'string', choices: ['random', 'majority'], describe: 'a baseline in place of a checkpoint' },
    out: { type: 'string', describe: 'writes every answer and the scores to this JSON file' },
    ...JSON_FLAG,
    ...BACKEND_FLAGS,
  },
  examples: [
    ['mimic eval --bench bench.jsonl --checkpoint checkpoints/run/best', 'accuracy by task, with 95 % intervals'],
    ['mimic eval --bench bench.jsonl --model random', 'what guessing reaches'],
    ['mimic eval --bench bench.jsonl --checkpoint checkpoints/run/best --out result.json --json', 'for a script'],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user, EXIT_CODE.someFailed],
  async run({ checkpoint, model, ...options }) {
    if ((checkpoint === undefined) === (model === undefined)) {
      const given = checkpoint === undefined ? 'neither is given' : 'both are given';
      throw new ConfigError('E_USAGE', `mimic eval: either --checkpoint or --model, but ${given}`, {
        hint: 'mimic eval --help',
      });
    }
    const { runEval } = await import('../../eval/run-eval.js');
    await runEval({ checkpoint, model, ...options });
    return EXIT_CODE.done;
  },
});
