/**
 * `npm run bench`: every comparison on the CPU, to bench/results/cpu.json.
 *
 *     npm run bench -- [--only <regular expression>] [--quick] [--threads <n>] [--out <file>]
 *
 * A run of some rows, or a quick one, writes a file only where --out names it: it would not replace the whole.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../src/base/package-root.js';
import { epochRows } from './epoch.js';
import { chooseCoreType } from './openblas.js';
import { findPython } from './python.js';
import { type BenchContext, commitName, formatRow, machine, type Row, writeReport } from './report.js';
import { checkpointingRows } from './suites/checkpointing.js';
import { gemmRows } from './suites/gemm.js';
import { kernelRows } from './suites/kernels.js';
import { loadingRows } from './suites/loading.js';
import { resumeRows } from './suites/resume.js';
import { stepRows } from './suites/step.js';
import { trainingRows } from './suites/training.js';
import { wasmRows } from './suites/wasm.js';

const SUITES = [
  gemmRows,
  kernelRows,
  stepRows,
  wasmRows,
  checkpointingRows,
  loadingRows,
  resumeRows,
  epochRows,
  trainingRows,
];

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    threads: { type: 'string' },
    out: { type: 'string' },
  },
});
const only = values.only === undefined ? undefined : new RegExp(values.only, 'i');
// Before anything loads OpenBLAS: the choice is made once, when the library is.
chooseCoreType();
const threads = Number(values.threads ?? availableParallelism());
const isWhole = only === undefined && !values.quick;
const out = values.out ?? (isWhole ? join(packageRoot(), 'bench', 'results', 'cpu.json') : undefined);

const python = await findPython();
const peers: Record<string, string> = {};
if ('reason' in python) console.log(`Rows beside PyTorch are left out: ${python.reason}`);
else Object.assign(peers, python.versions);
const rows: Row[] = [];
const context: BenchContext = {
  threads,
  quick: values.quick,
  python: 'reason' in python ? undefined : python.path,
  wants: (name) => only === undefined || only.test(name),
  add: (row) => {
    rows.push(row);
    console.log(formatRow(row));
  },
  peer: (name, version) => {
    peers[name] = version;
  },
};
const about = { ...machine(), threads, commit: commitName() };
console.log(Object.values(about).join('; '));
const started = performance.now();
for (const suite of SUITES) await suite(context);
const seconds = Math.round((performance.now() - started) / 1000);
console.log(`${rows.length} rows in ${seconds} s`);
if (out !== undefined) {
  const command = ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' ');
  await writeReport(out, { ...about, command, date: new Date().toISOString(), seconds, peers, rows });
  console.log(`written to ${out}`);
}
