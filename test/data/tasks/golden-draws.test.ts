/**
 * The drawn questions of a corpus are part of what a run, a resume and a published figure depend on. `golden-draws.json` was
 * written by the index as it was before its tables became numbers; MIMIC_WRITE_GOLDEN=1 writes it anew, for a change that
 * means to change them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { sha256 } from '../../../src/base/hash.js';
import { Rng } from '../../../src/base/rng.js';
import { CorpusIndex } from '../../../src/data/tasks/corpus-index.js';
import { buildQuestions, drawQuestion } from '../../../src/data/tasks/index.js';
import { CHOICE_TASKS, type ChoiceTaskName } from '../../../src/data/tasks/types.js';
import { GOLDEN_CORPORA } from './golden-corpora.js';

const PATH = fileURLToPath(new URL('golden-draws.json', import.meta.url));
/** Records asked about in one corpus. */
const ASKED = 400;

interface Golden {
  readonly draws: number;
  readonly sha256: string;
  /** For a reader: the last draw. */
  readonly last: unknown;
}

/** Draws, and how far each took the generator. */
function drawsOf(corpus: string, task: ChoiceTaskName): Golden {
  const [records, strangers] = GOLDEN_CORPORA[corpus] ?? [[], []];
  const index = new CorpusIndex(records);
  const step = Math.max(1, Math.floor(records.length / ASKED));
  const draws: unknown[] = [];
  for (const record of [...records.filter((_, i) => i % step === 0), ...strangers]) {
    for (const seed of [1, 2]) {
      const rng = new Rng(seed, 'golden').fork(record.id);
      draws.push([drawQuestion(task, record, index, rng), rng.state().position]);
    }
    const rng = new Rng(3, 'golden').fork(record.id);
    draws.push([buildQuestions(record, index, rng, { tasks: [task] }), rng.state().position]);
  }
  return { draws: draws.length, sha256: sha256(JSON.stringify(draws)), last: draws.at(-2) };
}

const cases = Object.keys(GOLDEN_CORPORA).flatMap((corpus) => CHOICE_TASKS.map((task) => [corpus, task] as const));

if (process.env['MIMIC_WRITE_GOLDEN'] === '1') {
  const golden = Object.fromEntries(cases.map(([corpus, task]) => [`${corpus} ${task}`, drawsOf(corpus, task)]));
  writeFileSync(PATH, `${JSON.stringify(golden, null, 1)}\n`);
}
const golden: Record<string, Golden> = JSON.parse(readFileSync(PATH, 'utf8'));

it.each(cases)('%s: questions of the task %s are those that were always drawn', (corpus, task) => {
  expect(drawsOf(corpus, task)).toEqual(golden[`${corpus} ${task}`]);
});
