#!/usr/bin/env node
/**
 * `npm run gpu:pack`: one archive with all that the project needs on a GPU server that has no network.
 *
 *     node scripts/gpu-pack.mjs [--out gpu-pack.tar.gz] [--with-node] [--tests]
 *
 * Holds the compiled project, its kernels' sources, the compiled GPU tests and benchmarks, and the production packages
 * for this system and processor. --with-node adds this Node; --tests leaves out what only models on videos need.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'gpu-pack.tar.gz' },
    'with-node': { type: 'boolean', default: false },
    tests: { type: 'boolean', default: false },
  },
});

const PROJECT = [
  ...['package.json', 'LICENSE', 'README.md', 'bin', 'dist', 'configs', 'docs'],
  ...['src/backend', 'bench/peers', 'scripts/gpu.mjs'],
];
/** Read images and text of videos' records; large, and of no use to kernels. */
const OF_VIDEOS = [
  '@xenova',
  '@huggingface',
  'onnxruntime-node',
  'onnxruntime-web',
  'onnxruntime-common',
  'sharp',
  '@img',
];
const NEEDED_BY_NOBODY = /\.(map|md|markdown|d\.ts|d\.mts|d\.cts)$/;

function stop(message, hint) {
  process.stderr.write(`gpu-pack: ${message}\n  hint: ${hint}\n`);
  process.exit(2);
}

function run(command, args, cwd = root) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 2, 2] });
  if (status !== 0)
    stop(`${[command, ...args].join(' ')} failed${error ? `: ${error.message}` : ''}`, 'see its message above');
}

function installProduction(folder) {
  for (const name of ['package.json', 'package-lock.json', '.npmrc']) {
    if (existsSync(join(root, name))) cpSync(join(root, name), join(folder, name));
  }
  run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'], folder);
  const modules = join(folder, 'node_modules');
  if (values.tests) for (const name of OF_VIDEOS) rmSync(join(modules, name), { recursive: true, force: true });
  for (const name of readdirSync(modules, { recursive: true })) {
    if (NEEDED_BY_NOBODY.test(name)) rmSync(join(modules, name), { force: true });
  }
}

run(process.execPath, [join('scripts', 'setup.mjs')]);
run(process.execPath, [join('scripts', 'gpu.mjs'), 'build']);
const work = mkdtempSync(join(tmpdir(), 'mimic-gpu-pack-'));
try {
  installProduction(work);
  for (const name of PROJECT) cpSync(join(root, name), join(work, name), { recursive: true });
  const names = [...new Set(PROJECT.map((name) => name.split('/')[0])), 'node_modules'];
  if (values['with-node']) {
    cpSync(process.execPath, join(work, 'node'));
    names.push('node');
  }
  const out = resolve(values.out);
  run('tar', ['-czf', out, ...names], work);
  const node = values['with-node'] ? './node' : 'node';
  process.stdout.write(
    `${out}: ${Math.round(statSync(out).size / 2 ** 20)} MiB\n` +
      `there: mkdir mimic-chat && tar xzf ${values.out.split('/').at(-1)} -C mimic-chat && cd mimic-chat\n` +
      `       ${node} scripts/gpu.mjs test && ${node} scripts/gpu.mjs bench\n`,
  );
} finally {
  rmSync(work, { recursive: true, force: true });
}
