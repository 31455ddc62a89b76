/**
 * `npm run bench:gpu`: what the GPU reaches, beside PyTorch and the card's own ceilings, to bench/results/gpu-<name>.json.
 *
 *     node scripts/gpu.mjs bench [--quick] [--device <n>] [--only <regular expression>] [--name <name>] [--out <file>]
 *
 * Each section runs in a process of its own and within a time of its own; the file is written after each, so a section
 * that fails loses no other. A quick run, or one of some sections, writes a file only where --out names it.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CudaDevice } from '../../src/backend/cuda/cuda-device.js';
import { MimicError } from '../../src/base/errors.js';
import { packageRoot } from '../../src/base/package-root.js';
import { commitName, machine, writeReport } from '../report.js';
import { runSection } from './run-section.js';
import { formatRow, type GpuRow } from './section.js';
import { SECTIONS } from './sections/index.js';
import { findTorch } from './torch.js';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    device: { type: 'string', default: '0' },
    only: { type: 'string' },
    name: { type: 'string' },
    out: { type: 'string' },
    section: { type: 'string' },
    python: { type: 'string' },
  },
});
const index = Number(values.device);
const ROW_MARK = '::row ';

/** What the compiled copy was made from, where there is no git. */
function builtFrom(): string {
  const file = join(packageRoot(), 'dist', 'gpu', 'commit');
  return existsSync(file) ? readFileSync(file, 'utf8') : commitName();
}

/** Resolves to why the section did not end as it should, or undefined. */
async function sectionInChild(
  name: string,
  python: string | undefined,
  add: (row: GpuRow) => void,
): Promise<string | undefined> {
  const flags = ['--section', name, '--device', String(index), ...(values.quick ? ['--quick'] : [])];
  const args = [fileURLToPath(import.meta.url), ...flags, ...(python === undefined ? [] : ['--python', python])];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    process.stderr.write(text);
    errors = `${errors}${text}`.slice(-2000);
  });
  const limitSeconds = SECTIONS[name]?.limitSeconds ?? 60;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, limitSeconds * 1000);
  const ended = new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, signal) => {
      if (code === 0) resolve(undefined);
      else resolve(isLate ? `stopped after ${limitSeconds} s` : `${signal ?? `code ${code}`}: ${errors.trim()}`);
    });
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith(ROW_MARK)) add(JSON.parse(line.slice(ROW_MARK.length)) as GpuRow);
    else console.log(line);
  }
  const complaint = await ended;
  clearTimeout(timer);
  return complaint;
}

async function parent(): Promise<number> {
  const gpu = await CudaDevice.create({ index });
  const { name: device, libraries, properties } = gpu;
  gpu.dispose();
  const torch = await findTorch();
  const leftOut: string[] = 'reason' in torch ? [`all rows beside PyTorch: ${torch.reason}`] : [];
  const python = 'reason' in torch ? undefined : torch.path;
  const peers = 'reason' in torch ? {} : torch.versions;
  const about = { ...machine(), device, libraries, commit: builtFrom() };
  console.log(
    [device, about.cpu, about.commit, ...Object.entries(peers).map((pair) => pair.join(' ')), ...leftOut].join('\n'),
  );

  const only = new RegExp(values.only ?? '', 'i');
  const short = properties.name
    .replace(/^NVIDIA /, '')
    .replace(/[^\w]+/g, '-')
    .toLowerCase();
  const isWhole = values.only === undefined && !values.quick;
  const whole = isWhole ? join(packageRoot(), 'bench', 'results', `gpu-${values.name ?? short}.json`) : undefined;
  const out = values.out ?? whole;
  const command = ['npm run bench:gpu', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' ');
  const rows: GpuRow[] = [];
  const failed: string[] = [];
  const started = performance.now();
  for (const name of Object.keys(SECTIONS).filter((section) => only.test(section))) {
    const complaint = await sectionInChild(name, python, (row) => {
      rows.push(row);
      console.log(formatRow(row));
    });
    if (complaint !== undefined) failed.push(`${name}: ${complaint}`);
    const seconds = Math.round((performance.now() - started) / 1000);
    const report = { ...about, command, date: new Date().toISOString(), seconds, peers, leftOut, failed, rows };
    if (out !== undefined) await writeReport(out, report);
  }
  console.log(
    `${rows.length} rows in ${Math.round((performance.now() - started) / 1000)} s${out === undefined ? '' : `, in ${out}`}`,
  );
  for (const complaint of failed) console.log(`FAILED ${complaint}`);
  return failed.length > 0 ? 1 : 0;
}

async function child(name: string): Promise<number> {
  const section = SECTIONS[name];
  if (section === undefined) throw new RangeError(`no section ${name}; there are ${Object.keys(SECTIONS).join(', ')}`);
  await runSection(section.run, { index, quick: values.quick, python: values.python }, (row) => {
    console.log(`${ROW_MARK}${JSON.stringify(row)}`);
  });
  return 0;
}

try {
  process.exitCode = values.section === undefined ? await parent() : await child(values.section);
} catch (error) {
  if (!(error instanceof MimicError)) throw error;
  console.error(`error ${error.code}: ${error.message}${error.hint === undefined ? '' : `\n  hint: ${error.hint}`}`);
  process.exitCode = 2;
}
