import { ConfigError } from '../../base/errors.js';
import type { BASELINES } from '../../eval/run-eval.js';
import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { BACKEND_FLAGS, CHECKPOINT_FLAG, JSON_FLAG, SEED_FLAG } from './shared-flags.js';

/** A list of its own: loading the evaluation would slow down --help. */
const MODELS = ['random', 'majority', 'longest'] as const satisfies typeof BASELINES;

export const evaluate = defineCommand({
  flags: {
    bench: { type: 'string', demandOption: true, describe: 'JSONL of questions, as "mimic bench build" writes it' },
    checkpoint: { ...CHECKPOINT_FLAG.checkpoint, demandOption: false },
    model: { type: 'string', choices: MODELS, describe: 'a blind baseline in place of a checkpoint' },
    root: { type: 'string', describe: "folder that video paths are relative to; without it the question file's" },
    out: {
      type: 'string',
      describe: 'JSON file for every answer and the scores; a run that was killed goes on from it',
    },
    compare: { type: 'string', describe: 'result file of another run: prints the paired difference with its p-value' },
    comments: { type: 'boolean', default: false, describe: 'also writes one comment a video, with its side metrics' },
    ...SEED_FLAG,
    ...JSON_FLAG,
    ...BACKEND_FLAGS,
  },
  examples: [
    ['mimic eval --bench bench.jsonl --checkpoint checkpoints/run/best', 'accuracy by task, with 95 % intervals'],
    ['mimic eval --bench bench.jsonl --model random', 'what guessing reaches'],
    [
      'mimic eval --bench bench.jsonl --checkpoint checkpoints/b/best --out b.json --compare a.json',
      'is run b better than run a?',
    ],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user, EXIT_CODE.someFailed],
  async run({ checkpoint, model, ...options }) {
    if ((checkpoint === undefined) === (model === undefined)) {
      const given = checkpoint === undefined ? 'neither is given' : 'both are given';
      const message = `mimic eval: either --checkpoint or --model, but ${given}`;
      throw new ConfigError('E_USAGE', message, { hint: 'mimic eval --help' });
    }
    const { runEval } = await import('../../eval/run-eval.js');
    return runEval({ checkpoint, model, ...options });
  },
});
