#!/usr/bin/env node
/**
 * Fuzzes the readers of weights, from memory:
 *
 *     npm run build && node tools/fuzz-weights/main.mjs <safetensors | torch | index> [--cases 1000000] [--seed 1]
 *         [--only <case>] [--dump <file>] [--build dist]
 *
 * A case is a pure function of seed and number, so `--only` runs one again. It must be accepted with what the target's
 * twin of the rules finds, or refused with a CheckpointError, within a second. The first ten cases that are neither are
 * printed; the exit status is then 1. `--dump` writes the cases with our verdicts for tools/fuzz-weights/agree.py.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { safetensorsTarget } from './safetensors.mjs';
import { indexTarget } from './shard-index.mjs';
import { torchTarget } from './torch.mjs';

const TARGETS = { safetensors: safetensorsTarget, torch: torchTarget, index: indexTarget };
const SLOW_MS = 1000;
const SHOWN = 10;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cases: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    dump: { type: 'string' },
    build: { type: 'string', default: 'dist' },
  },
});
const open = TARGETS[positionals[0]];
if (open === undefined) {
  console.error(`name a target: ${Object.keys(TARGETS).join(', ')}`);
  process.exit(2);
}
const load = (name) => import(pathToFileURL(resolve(values.build, name)).href);
const { Rng } = await load('base/rng.js');
const { CheckpointError } = await load('base/errors.js');
const target = await open(load);
const seed = Number(values.seed);
const first = Number(values.only ?? 0);
const last = values.only === undefined ? Number(values.cases) : first + 1;
const dump = values.dump === undefined ? undefined : openSync(values.dump, 'w');
const counts = new Map();
const faults = [];
const started = performance.now();
let slowest = 0;

/** What is wrong with a case, or its verdict: `accepted` or the code it was refused with. */
async function judge(bytes) {
  let result;
  try {
    result = await target.run(bytes);
  } catch (error) {
    if (error instanceof CheckpointError) {
      return { verdict: error.code };
    }
    return { fault: `threw ${error?.stack ?? error}` };
  }
  try {
    const wrong = await target.check(result, bytes);
    return wrong === undefined ? { verdict: 'accepted' } : { fault: `accepted, but ${wrong}` };
  } catch (error) {
    return { fault: `accepted, but the twin threw ${error?.stack ?? error}` };
  }
}

async function timed(bytes) {
  const before = performance.now();
  const judged = await judge(bytes);
  return { ...judged, ms: performance.now() - before };
}

for (let number = first; number < last; number++) {
  const bytes = target.make(new Rng(seed, number));
  let { verdict = 'fault', fault, ms } = await timed(bytes);
  // A busy machine makes any case slow once.
  for (let again = 0; again < 3 && ms > SLOW_MS; again++) ms = Math.min(ms, (await timed(bytes)).ms);
  slowest = Math.max(slowest, ms);
  counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  if (dump !== undefined) writeCase(dump, verdict, bytes);
  const problem = fault ?? (ms > SLOW_MS ? `took ${ms} ms` : undefined);
  if (problem === undefined) continue;
  faults.push(number);
  if (faults.length <= SHOWN) console.log(`case ${number}: ${problem}\n  ${bytes.toString('latin1').slice(0, 400)}`);
}
if (dump !== undefined) closeSync(dump);
const seconds = (performance.now() - started) / 1000;
console.log(
  `${positionals[0]}: seed ${seed}, ${last - first} cases in ${seconds.toFixed(0)} s, slowest ${slowest.toFixed(1)} ms`,
);
for (const [verdict, count] of [...counts].sort((a, b) => b[1] - a[1])) console.log(`  ${verdict.padEnd(32)} ${count}`);
console.log(
  faults.length === 0 ? '  no fault' : `  ${faults.length} FAULTS, first: ${faults.slice(0, SHOWN).join(', ')}`,
);
process.exitCode = faults.length === 0 ? 0 : 1;

/** Lengths as uint32, the verdict, the bytes. */
function writeCase(file, verdict, bytes) {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(verdict.length, 0);
  head.writeUInt32LE(bytes.length, 4);
  writeSync(file, Buffer.concat([head, Buffer.from(verdict), bytes]));
}
