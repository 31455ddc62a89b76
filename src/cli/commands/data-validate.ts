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
    const { hasVideo, VideoRecord } = await import('../../data/record.js');
    const records = await readJsonl(file, VideoRecord, { uniqueKey: 'id', warn: (message) => log.warn(message) });
    const numComments = records.reduce((sum, { comments }) => sum + comments.length, 0);
    const talks = records.filter(({ conversations }) => conversations !== undefined);
    const kinds = {
      video: talks.filter(hasVideo).length,
      pictures: talks.filter(({ images }) => images !== undefined).length,
      'text alone': talks.filter((record) => record.images === undefined && !hasVideo(record)).length,
    };
    const counts = { records: records.length, comments: numComments };
    if (json) {
      const conversations = talks.length === 0 ? {} : { conversations: kinds };
      process.stdout.write(`${JSON.stringify({ file, ...counts, ...conversations })}\n`);
      return EXIT_CODE.done;
    }
    const found = Object.entries(kinds).map(([kind, count]) => `${count} of ${kind}`);
    const conversations = talks.length === 0 ? '' : ` and ${talks.length} conversations (${found.join(', ')})`;
    log.info(`${file}: ${counts.records} records with ${numComments} comments${conversations}, no error`);
    return EXIT_CODE.done;
  },
});
