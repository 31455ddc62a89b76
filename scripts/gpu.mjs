#!/usr/bin/env node
/**
 * `npm run test:gpu`, `npm run bench:gpu`: the GPU tests and benchmarks from their compiled copy in dist/gpu.
 *
 *     node scripts/gpu.mjs test|bench|build [flags]
 *
 * Where the TypeScript compiler is installed the copy is brought up to date first. A GPU server needs none: it runs what
 * `npm run gpu:pack` brought there, with Node and the production packages only.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...names) => join(root, ...names);

const ENTRIES = {
  test: at('dist', 'gpu', 'test-gpu', 'main.js'),
  bench: at('dist', 'gpu', 'bench', 'gpu', 'main.js'),
};
const STAMP = at('dist', 'gpu', '.sources-sha256');

function stop(message, hint) {
  process.stderr.write(`gpu: ${message}\n  hint: ${hint}\n`);
  process.exit(2);
}

function sourceHash() {
  const hash = createHash('sha256');
  const files = ['src', 'test-gpu', 'bench'].flatMap((folder) =>
    readdirSync(at(folder), { recursive: true })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  );
  for (const name of ['tsconfig.json', 'tsconfig.gpu.json', ...files.sort()]) {
    hash
      .update(`${name}\0`)
      .update(readFileSync(at(name)))
      .update('\0');
  }
  return hash.digest('hex');
}

/** The commit the copy was made from: a server has no git. */
function commit() {
  const run = (...args) => spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? '';
  const changed = run('status', '--porcelain', '--', 'src', 'bench', 'test-gpu', ':!bench/results') !== '';
  return `${run('rev-parse', '--short=12', 'HEAD') || 'unknown'}${changed ? ', with uncommitted changes' : ''}`;
}

function build() {
  const compiler = at('node_modules', 'typescript', 'bin', 'tsc');
  if (!existsSync(compiler)) {
    if (existsSync(ENTRIES.test)) return;
    stop(
      'dist/gpu is missing, and there is no TypeScript compiler',
      'npm run gpu:pack on a machine that has one, and unpack here',
    );
  }
  const hash = sourceHash();
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === hash) return;
  rmSync(at('dist', 'gpu'), { recursive: true, force: true });
  const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.gpu.json'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) stop('the GPU tests do not compile', 'mend the errors above');
  mkdirSync(at('dist', 'gpu'), { recursive: true });
  writeFileSync(at('dist', 'gpu', 'commit'), commit());
  writeFileSync(STAMP, hash);
}

const [what, ...flags] = process.argv.slice(2);
if (what !== 'build' && ENTRIES[what] === undefined)
  stop(`got "${what ?? ''}", expected test, bench or build`, 'npm run test:gpu');
build();
if (what !== 'build') {
  const { status } = spawnSync(process.execPath, [ENTRIES[what], ...flags], { cwd: process.cwd(), stdio: 'inherit' });
  process.exit(status ?? 1);
}
