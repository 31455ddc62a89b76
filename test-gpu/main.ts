/**
 * `npm run test:gpu`: every kernel, product and attention path on a real GPU beside the host device.
 *
 *     node scripts/gpu.mjs test [--quick] [--device <n>] [--only <regular expression>] [--out <file>]
 *
 * Each suite runs in a process of its own: a kernel that breaks the GPU's context fails its suite alone.
 * Exits with 1 when something failed, with 2 when there is no GPU.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CudaDevice } from '../src/backend/cuda/cuda-device.js';
import { writeFileAtomic } from '../src/base/atomic-file.js';
import { MimicError } from '../src/base/errors.js';
import { type PartResult, runSuite } from './run-suite.js';
import { SUITES } from './suites/index.js';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    device: { type: 'string', default: '0' },
    only: { type: 'string' },
    out: { type: 'string' },
    suite: { type: 'string' },
  },
});
const index = Number(values.device);

/** A part as a child hands it to its parent. */
const PART_MARK = '::part ';

function formatPart({ family, cases, failed, maxError, milliseconds, failures, leftOut }: PartResult): string {
  const verdict = failed > 0 ? 'FAILED' : cases > 0 ? 'passed' : 'none';
  const figures = `${verdict.padEnd(7)} ${family.padEnd(26)} ${String(cases - failed).padStart(5)} of ${String(cases).padEnd(5)}`;
  const rest = `error ${maxError.toExponential(1).padStart(7)} ${(milliseconds / 1000).toFixed(1).padStart(7)} s`;
  const notes = [...failures, ...(leftOut === undefined ? [] : [`left out: ${leftOut}`])];
  return [`${figures} ${rest}`, ...notes.map((note) => `          ${note}`)].join('\n');
}

/** Runs one suite in a child; a child that dies is a failed part. */
async function suiteInChild(name: string, onPart: (part: PartResult) => void): Promise<void> {
  const flags = ['--suite', name, '--device', String(index), ...(values.quick ? ['--quick'] : [])];
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, signal) => resolve(code === 0 ? '' : `its process ended with ${signal ?? `code ${code}`}`));
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith(PART_MARK)) onPart(JSON.parse(line.slice(PART_MARK.length)) as PartResult);
    else console.log(line);
  }
  const complaint = await ended;
  if (complaint !== '') {
    onPart({ family: name, cases: 1, failed: 1, maxError: 0, milliseconds: 0, failures: [complaint] });
  }
}

async function parent(): Promise<number> {
  const gpu = await CudaDevice.create({ index });
  const device = gpu.name;
  console.log(device);
  console.log(gpu.libraries.map(({ name, version, path }) => `${name} ${version} ${path}`).join('\n'));
  gpu.dispose();
  const only = new RegExp(values.only ?? '', 'i');
  const parts: PartResult[] = [];
  for (const name of Object.keys(SUITES).filter((suite) => only.test(suite))) {
    await suiteInChild(name, (part) => {
      parts.push(part);
      console.log(formatPart(part));
    });
  }
  const failed = parts.reduce((sum, part) => sum + part.failed, 0);
  const cases = parts.reduce((sum, part) => sum + part.cases, 0);
  console.log(`${cases - failed} passed, ${failed} failed${values.quick ? ' (quick)' : ''}`);
  if (values.out !== undefined) {
    const report = {
      device,
      quick: values.quick,
      date: new Date().toISOString(),
      passed: cases - failed,
      failed,
      parts,
    };
    await writeFileAtomic(values.out, `${JSON.stringify(report, null, 2)}\n`);
  }
  return failed > 0 || cases === 0 ? 1 : 0;
}

async function child(name: string): Promise<number> {
  const suite = SUITES[name];
  if (suite === undefined) throw new RangeError(`no suite ${name}; there are ${Object.keys(SUITES).join(', ')}`);
  await runSuite(name, suite, { index, quick: values.quick }, (part) => {
    console.log(`${PART_MARK}${JSON.stringify(part)}`);
  });
  return 0;
}

try {
  process.exitCode = values.suite === undefined ? await parent() : await child(values.suite);
} catch (error) {
  if (!(error instanceof MimicError)) throw error;
  console.error(`error ${error.code}: ${error.message}${error.hint === undefined ? '' : `\n  hint: ${error.hint}`}`);
  process.exitCode = 2;
}
