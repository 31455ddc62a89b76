/**
 * One start of a run's data in a process of its own: records file, index, epoch plan, the first step's samples; then single
 * questions. Prints a JSON line.
 */

import { Rng } from '../src/base/rng.js';
import { openCorpus } from '../src/data/corpus/open-corpus.js';
import { drawQuestion } from '../src/data/tasks/index.js';
import { CHOICE_TASKS, type ChoiceTaskName } from '../src/data/tasks/types.js';
import { EpochPlan } from '../src/train/epoch-plan.js';

export interface StartFigures {
  readonly seconds: number;
  /** Of them: until the index stands. */
  readonly openSeconds: number;
  readonly isFromFile: boolean;
  readonly rssMiB: number;
  /** ms a question by task. */
  readonly draws: Readonly<Record<string, { readonly median: number; readonly p99: number }>>;
}

/** As in `configs/mimic-chat-8b.yaml`. */
const CONFIG = { seed: 0, train: { batchSize: 2, accumulate: 2, groupByLength: true } };
const TURNS = 4;
/** Roughly, of English. */
const CHARACTERS_PER_TOKEN = 4;

const [path = '', folder = '', stepText = '0', drawsText = '0'] = process.argv.slice(2);
const draws = Number(drawsText);

const started = performance.now();
const corpus = await openCorpus(path, { folder });
const { records, index, textLengths } = corpus;
const opened = performance.now();

function question(task: ChoiceTaskName, record: number, rng: Rng): number {
  const found = records.at(record);
  if (found === undefined) throw new RangeError(`record ${record}`);
  const drawn = drawQuestion(task, found, index, rng);
  return 'reason' in drawn ? 0 : drawn.options.join(' ').length;
}
function draw(epoch: number, record: number) {
  const rng = new Rng(CONFIG.seed, 'questions').fork(epoch).fork(record);
  let characters = 0;
  for (let turn = 0; turn < TURNS; turn++) characters += question(rng.pick(CHOICE_TASKS), record, rng);
  const ids = new Int32Array(Math.ceil(characters / CHARACTERS_PER_TOKEN));
  return { tokens: { ids, labels: ids, numVisual: 0, answerTurn: ids } };
}
new EpochPlan({ records, textLengths, draw }, CONFIG).batchesOf(Number(stepText));
const seconds = (performance.now() - started) / 1000;

const rng = new Rng(1, 'bench-draws');
const timed = (task: ChoiceTaskName) => {
  const record = rng.int(records.length);
  const from = performance.now();
  question(task, record, rng);
  return performance.now() - from;
};
const byTask = CHOICE_TASKS.map((task) => {
  for (let i = 0; i < draws / 2; i++) timed(task);
  const times = Array.from({ length: draws }, () => timed(task)).sort((a, b) => a - b);
  return [task, { median: times[draws >> 1] ?? 0, p99: times[Math.floor(draws * 0.99)] ?? 0 }] as const;
});
const { isFromFile } = corpus;
const rssMiB = process.memoryUsage().rss / 2 ** 20;
const openSeconds = (opened - started) / 1000;
const figures: StartFigures = { seconds, openSeconds, isFromFile, rssMiB, draws: Object.fromEntries(byTask) };
console.log(JSON.stringify(figures));
corpus.close();
