import { log } from '../../base/logger.js';
import { Progress } from '../../base/progress.js';
import { defineCommand, type Flag } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { JSON_FLAG, SEED_FLAG } from './shared-flags.js';

const clips = (split: string, count: number) =>
  ({ type: 'number', integer: true, min: 0, default: count, describe: `clips of the ${split} split` }) satisfies Flag;

export const dataSynth = defineCommand({
  flags: {
    out: { type: 'string', demandOption: true, describe: 'folder for videos/ and one JSONL a split' },
    ...SEED_FLAG,
    train: clips('train', 600),
    validation: clips('validation', 120),
    test: clips('test', 120),
    ...JSON_FLAG,
  },
  examples: [
    ['mimic data synth --out data/synth', 'three splits; clips that are there already are kept'],
    ['mimic data synth --out data/tiny --train 30 --validation 6 --test 6', 'a handful to look at'],
    ['mimic data synth --out data/synth-7 --seed 7 --json', 'another corpus, with its files as JSON'],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user],
  async run({ out, seed, train, validation, test, json }) {
    const { synthesizeCorpus } = await import('../../data/synth/corpus.js');
    const counts = { train, validation, test };
    const progress = new Progress('clips', { total: train + validation + test });
    const { paths } = await synthesizeCorpus({
      dir: out,
      seed,
      counts,
      onProgress: ({ done, reused }) => progress.update(done, reused > 0 ? `${reused} were there` : ''),
    }).finally(() => progress.end());
    if (json) process.stdout.write(`${JSON.stringify({ seed, counts, paths })}\n`);
    else for (const path of Object.values(paths)) log.info(path);
    return EXIT_CODE.done;
  },
});
