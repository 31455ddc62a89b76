import { log } from '../../base/logger.js';
import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { JSON_FLAG } from './shared-flags.js';

export const dataValidate = defineCommand({
  positional: 'FILE',
  flags: { ...JSON_FLAG },
  examples: [
    ['mimic data validate records.jsonl', 'every error with its line, key, got and expected'],
    ['mimic data validate records.jsonl --quiet', 'says something only when something is wrong'],
    ['mimic data validate records.jsonl --json', 'the counts, for a script'],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user],
  async run({ json }, { positional: file }) {
    const { readJsonl } = await import('../../data/jsonl.js');
    const { VideoRecord } = await import('../../data/record.js');
    const records = await readJsonl(file, VideoRecord, { uniqueKey: 'id', warn: (message) => log.warn(message) });
    const numComments = records.reduce((sum, { comments }) => sum + comments.length, 0);
    if (json) process.stdout.write(`${JSON.stringify({ file, records: records.length, comments: numComments })}\n`);
    else log.info(`${file}: ${records.length} records with ${numComments} comments, no error`);
    return EXIT_CODE.done;
  },
});
