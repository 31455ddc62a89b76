import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { BACKEND_FLAGS, SEED_FLAG } from './shared-flags.js';

export const demo = defineCommand({
  flags: {
    out: { type: 'string', default: 'demo', describe: 'folder for the corpus, the checkpoint and report.html' },
    ...SEED_FLAG,
    quick: {
      type: 'boolean',
      default: false,
      describe: 'a smaller corpus and fewer steps: shows the path, not the scores',
    },
    ...BACKEND_FLAGS,
  },
  examples: [
    ['mimic demo', 'the whole demo, with demo/report.html at the end'],
    ['mimic demo --quick', 'the same path in a fraction of the time'],
    ['mimic demo --out runs/demo-7 --seed 7 --backend native', 'another seed, beside the first'],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user],
  async run({ out, ...options }) {
    const { runDemo } = await import('../../demo/run-demo.js');
    await runDemo({ outDir: out, ...options });
    return EXIT_CODE.done;
  },
});
