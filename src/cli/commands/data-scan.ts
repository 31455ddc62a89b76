import { availableParallelism } from 'node:os';
import { log } from '../../base/logger.js';
import { Progress } from '../../base/progress.js';
import { defineCommand } from '../command.js';
import { EXIT_CODE } from '../exit-code.js';

/** Bad videos named on the terminal; the report has all. */
const MAX_SHOWN = 20;

export const dataScan = defineCommand({
  positional: 'FILE',
  flags: {
    root: { type: 'string', describe: "folder that video_path is relative to; default: the file's own" },
    jobs: { type: 'number', integer: true, min: 1, describe: 'videos decoded at once; default: a CPU core each' },
    json: { type: 'string', describe: 'report to write: JSON Lines, one video a line' },
    quarantine: { type: 'string', describe: 'list of the bad ones to write: data.quarantine of a training run' },
  },
  examples: [
    ['mimic data scan train.jsonl', 'decodes every video once and names those that training would refuse'],
    [
      'mimic data scan train.jsonl --quarantine bad.jsonl',
      'and lists them: mimic train ... --data.quarantine=bad.jsonl',
    ],
    ['mimic data scan train.jsonl --json scan.jsonl --jobs 32', 'with all that was found; started again, it goes on'],
  ],
  exitCodes: [EXIT_CODE.done, EXIT_CODE.internal, EXIT_CODE.user, EXIT_CODE.someFailed, EXIT_CODE.interrupted],
  async run({ root: folder, jobs = availableParallelism(), json, quarantine }, { positional: file }) {
    const { writeJsonl } = await import('../../data/jsonl.js');
    const { readRecords } = await import('../../data/read-records.js');
    const { ScanJournal } = await import('../../data/scan/journal.js');
    const { scanRecords } = await import('../../data/scan/scan-records.js');
    const { records, root } = await readRecords(file, folder);
    const out = json ?? quarantine;
    const journal = out === undefined ? undefined : new ScanJournal(`${out}.partial`);
    const stop = new AbortController();
    const onSignal = () => {
      if (stop.signal.aborted) process.exit(EXIT_CODE.interrupted);
      stop.abort();
    };
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
    let progress: Progress | undefined;
    try {
      const entries = await scanRecords(records, root, {
        ...{ jobs, journal, signal: stop.signal },
        onProgress: ({ done, total, known, bad }) => {
          progress ??= new Progress('scan', { total });
          const detail = [bad > 0 ? `${bad} bad` : '', known > 0 ? `${known} known` : ''].filter(Boolean).join(', ');
          progress.update(done, detail);
        },
      });
      progress?.end();
      if (stop.signal.aborted) {
        const again = out === undefined ? 'give --json to be able to go on' : 'the same command goes on';
        log.warn(`stopped after ${entries.length} of ${records.length} records; ${again}`);
        return EXIT_CODE.interrupted;
      }
      const bad = entries.filter(({ status }) => status === 'quarantined');
      const repaired = entries.filter(({ status }) => status === 'repaired').length;
      if (json !== undefined) await writeJsonl(json, entries);
      if (quarantine !== undefined) await writeJsonl(quarantine, bad);
      await journal?.remove();
      for (const { id, path, code } of bad.slice(0, MAX_SHOWN)) log.info(`  ${id}  ${path}: ${code}`);
      if (bad.length > MAX_SHOWN) log.info(`  ... and ${bad.length - MAX_SHOWN} more`);
      log.info(
        `${file}: ${entries.length - bad.length - repaired} ok, ${repaired} repaired, ${bad.length} quarantined`,
      );
      return bad.length > 0 ? EXIT_CODE.someFailed : EXIT_CODE.done;
    } finally {
      progress?.end();
      journal?.close();
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    }
  },
});
