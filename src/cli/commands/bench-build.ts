import { dirname, join, relative } from 'node:path';
import { log } from '../../base/logger.js';
import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';
import { JSON_FLAG, SEED_FLAG } from './shared-flags.js';

export const benchBuild = defineCommand({
  flags: {
    records: { type: 'string', demandOption: true, describe: 'JSONL of video records' },
    out: {
      type: 'string',
      demandOption: true,
      describe: 'JSONL of questions to write; video paths become relative to it',
    },
    ...SEED_FLAG,
    ...JSON_FLAG,
  },
  examples: [
    ['mimic bench build --records test.jsonl --out bench.jsonl', 'every question that the records allow'],
    ['mimic bench build --records test.jsonl --out bench-1.jsonl --seed 1', 'other distractors and places'],
    ['mimic bench build --records data/test.jsonl --out bench.jsonl --json', 'the counts, for a script'],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user],
  async run({ records: recordsFile, out, seed, json }) {
    const { readJsonl, writeJsonl } = await import('../../data/jsonl.js');
    const { VideoRecord } = await import('../../data/record.js');
    const { buildBenchmark, countSkipped } = await import('../../data/tasks/benchmark.js');
    const warn = (message: string) => log.warn(message);
    const records = await readJsonl(recordsFile, VideoRecord, { uniqueKey: 'id', warn });
    const { questions, comments, skipped } = buildBenchmark(records, seed);
    const rebase = (path: string) => relative(dirname(out), join(dirname(recordsFile), path));
    const rows = [...questions, ...comments].map(({ videoPath, frames, ...row }) => ({
      ...row,
      videoPath: videoPath === '' ? '' : rebase(videoPath),
      ...(frames === undefined ? {} : { frames: frames.map(rebase) }),
    }));
    await writeJsonl(out, rows);
    const reasons = Object.fromEntries(countSkipped(skipped));
    const counts = {
      records: records.length,
      questions: questions.length,
      comments: comments.length,
      skipped: reasons,
    };
    if (json) process.stdout.write(`${JSON.stringify({ out, ...counts })}\n`);
    else {
      log.info(
        `${out}: ${counts.questions} questions and ${counts.comments} comment requests from ${counts.records} records`,
      );
      for (const [reason, count] of Object.entries(reasons)) log.info(`  not built: ${reason} (${count})`);
    }
    return EXIT_CODE.done;
  },
});
