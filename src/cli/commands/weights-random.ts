import { formatBytes, formatDuration } from '../../base/format.js';
import { log } from '../../base/logger.js';
import { Progress } from '../../base/progress.js';
import { PUBLISHED_MODELS, SCALES } from '../../model/random-weights/catalog.js';
import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { JSON_FLAG, SEED_FLAG } from './shared-flags.js';

const MEBIBYTE = 2 ** 20;

export const weightsRandom = defineCommand({
  flags: {
    like: { type: 'string', choices: PUBLISHED_MODELS, demandOption: true, describe: 'whose sizes and names' },
    out: { type: 'string', demandOption: true, describe: 'folder to write; new or empty' },
    ...SEED_FLAG,
    dtype: { type: 'string', choices: ['bf16', 'fp32'], describe: 'without it as published: bf16, TimeSformer fp32' },
    layout: {
      type: 'string',
      choices: ['opengvlab', 'hf'],
      describe: "names of OpenGVLab's repositories, or of those ending in -hf",
    },
    tokenizer: { type: 'string', describe: 'tokenizer file or folder to copy; without one every byte is a token' },
    scale: { type: 'string', choices: SCALES, default: 'full', describe: 'tiny: the same names in two small layers' },
    ...JSON_FLAG,
  },
  examples: [
    ['mimic weights random --like internvl2.5-1b --out weights/random-1b', '1.9 GB to try the machine with'],
    [
      'mimic weights random --like internvl2.5-8b --out weights/random-8b --tokenizer tokenizer.model',
      '16 GB in four files, with a tokenizer of yours',
    ],
    [
      'mimic weights random --like internvl2.5-8b --out weights/tiny --scale tiny --layout hf --seed 7',
      'a few hundred kilobytes, as transformers names them',
    ],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user],
  async run({ json, ...options }) {
    const { writeRandomCheckpoint } = await import('../../model/random-weights/write-random-checkpoint.js');
    const started = performance.now();
    let progress: Progress | undefined;
    const result = await writeRandomCheckpoint({
      ...options,
      onProgress: ({ doneBytes, totalBytes }) => {
        progress ??= new Progress('MiB', { total: Math.ceil(totalBytes / MEBIBYTE) });
        const perSec = (1000 * doneBytes) / (performance.now() - started);
        const rounded = doneBytes === totalBytes ? Math.ceil : Math.floor;
        progress.update(rounded(doneBytes / MEBIBYTE), `${formatBytes(perSec)}/s`);
      },
    }).finally(() => progress?.end());
    const seconds = (performance.now() - started) / 1000;
    const { parameters, totalBytes, files } = result;
    if (json) process.stdout.write(`${JSON.stringify({ out: options.out, parameters, totalBytes, seconds, files })}\n`);
    else {
      const count = parameters.toLocaleString('en-US');
      log.info(`${options.out}: ${count} parameters, ${formatBytes(totalBytes)} in ${formatDuration(seconds)}`);
    }
    return EXIT_CODE.done;
  },
});
