import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { BACKEND_FLAGS, CONFIG_FLAG, JSON_FLAG } from './shared-flags.js';

export const features = defineCommand({
  flags: {
    ...CONFIG_FLAG,
    jobs: { type: 'number', integer: true, min: 1, describe: 'videos decoded at once; without it data.decodeWorkers' },
    ...BACKEND_FLAGS,
    ...JSON_FLAG,
  },
  takesOverrides: true,
  examples: [
    ['mimic features -c configs/demo.yaml', "encodes the videos of a run's records once, for every epoch of every run"],
    ['mimic features -c configs/demo.yaml --jobs 8', 'on a machine with more cores; several may run at once'],
    [
      'mimic features -c configs/mimic-chat-8b.yaml --train.featureCache.dir=/data/features --train.featureCache.maxGiB=4000 --json',
      'to a large disk, with the counts and the bad videos for a script',
    ],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user, EXIT_CODE.someFailed],
  async run({ config, json, ...options }, { overrides }) {
    const { runFeatures } = await import('../../train/features/run-features.js');
    const report = await runFeatures({ configFile: config, overrides, ...options });
    if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
    return report.failed + report.notStored > 0 ? EXIT_CODE.someFailed : EXIT_CODE.done;
  },
});
