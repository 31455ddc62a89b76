#!/usr/bin/env node
/**
 * Brings a checkout to where `npm test` and `npm run demo` work: packages as the lock file says, TypeScript compiled,
 * ffmpeg and a C++ compiler found, and Open MPI for the tests. Prints what it does, and nothing when all is there. Exits
 * with 2 when a person has to do something, saying what.
 *
 * Plain Node: it runs before anything is installed.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...names) => join(root, ...names);
const say = (text) => process.stderr.write(`setup: ${text}\n`);

function stop(message, hint) {
  say(`${message}\n  hint: ${hint}`);
  process.exit(2);
}

/** Runs a command in the checkout with its output shown; true when it succeeded. */
function run(command, args, env = {}) {
  say([command, ...args].join(' '));
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, ...env },
    shell: process.platform === 'win32',
  });
  if (error) say(error.message);
  return status === 0;
}

function onPath(program) {
  const suffixes = process.platform === 'win32' ? ['.exe', '.cmd'] : [''];
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.some((folder) =>
    suffixes.some((suffix) => {
      try {
        accessSync(join(folder, program + suffix), constants.X_OK);
        return true;
      } catch {
        return false; // not executable here: the next folder may have it
      }
    }),
  );
}

function checkNode() {
  const wanted = [20, 19];
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > wanted[0] || (major === wanted[0] && minor >= wanted[1])) return;
  stop(
    `Node ${process.versions.node} is too old, ${wanted.join('.')} or newer is needed`,
    'install it from https://nodejs.org',
  );
}

/** npm writes what it installed to node_modules/.package-lock.json, last; it is compared with the lock file. */
function packagesInstalled() {
  const installedFile = at('node_modules', '.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  const { packages } = JSON.parse(readFileSync(at('package-lock.json'), 'utf8'));
  return Object.entries(packages).every(([path, wanted]) => {
    if (path === '') return true;
    const found = installed[path];
    if (found === undefined) return wanted.optional === true || wanted.devOptional === true || wanted.peer === true;
    return found.version === wanted.version && found.integrity === wanted.integrity;
  });
}

/**
 * Development packages too: the TypeScript compiler is one, and the demo is compiled here. Without install scripts: the
 * native packages ship prebuilt binaries, npm 11 does not run the scripts anyway, and so every npm gives the same result.
 */
function installPackages() {
  if (packagesInstalled()) return;
  const args = ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund'];
  if (!run('npm', args)) stop('npm ci failed', 'read its message above; it needs the network or a filled npm cache');
}

function sourceFiles() {
  const sources = readdirSync(at('src'), { recursive: true }).filter((name) => name.endsWith('.ts'));
  return [
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
    ...sources.sort().map((name) => join('src', name)),
  ];
}

function sourceHash() {
  const hash = createHash('sha256');
  for (const name of sourceFiles())
    hash
      .update(`${name}\0`)
      .update(readFileSync(at(name)))
      .update('\0');
  return hash.digest('hex');
}

/** Compiles into an empty dist, so that no output of a deleted source stays, and leaves the sources' hash beside it. */
function compile() {
  const stamp = at('dist', '.sources-sha256');
  const hash = sourceHash();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  rmSync(at('dist'), { recursive: true, force: true });
  const compiler = at('node_modules', 'typescript', 'bin', 'tsc');
  if (!run(process.execPath, [compiler, '-p', 'tsconfig.build.json'])) {
    stop('the TypeScript sources do not compile', 'mend the errors above, then: npm run setup');
  }
  writeFileSync(stamp, hash);
}

const INSTALLERS = [
  [
    'apt-get',
    'sudo apt-get update && sudo apt-get install -y',
    { ffmpeg: 'ffmpeg', compiler: 'g++', mpi: 'openmpi-bin' },
  ],
  ['dnf', 'sudo dnf install -y', { ffmpeg: 'ffmpeg-free', compiler: 'gcc-c++', mpi: 'openmpi' }],
  ['pacman', 'sudo pacman -S --needed', { ffmpeg: 'ffmpeg', compiler: 'gcc', mpi: 'openmpi' }],
  ['apk', 'sudo apk add', { ffmpeg: 'ffmpeg', compiler: 'g++', mpi: 'openmpi' }],
  ['brew', 'brew install', { ffmpeg: 'ffmpeg', compiler: 'gcc', mpi: 'open-mpi' }],
  ['winget', 'winget install', { ffmpeg: 'ffmpeg', compiler: 'LLVM.LLVM' }],
];

function installCommand(tool) {
  const [, command, names] = INSTALLERS.find(([program]) => onPath(program)) ?? [];
  const label = { ffmpeg: 'ffmpeg', compiler: 'a C++ compiler', mpi: 'Open MPI' }[tool];
  return command === undefined || names[tool] === undefined
    ? `install ${label} and put it on the PATH`
    : `${command} ${names[tool]}`;
}

const FOUND = {
  ffmpeg: () => Boolean(process.env.FFMPEG_PATH) || onPath('ffmpeg'),
  compiler: () => Boolean(process.env.CXX) || ['c++', 'g++', 'clang++'].some(onPath),
  // The tests start several processes; what they test works without.
  mpi: () => process.env.npm_lifecycle_event !== 'pretest' || onPath('mpirun'),
};

/** On Debian and Ubuntu as root, as in a container, the missing tools are installed; elsewhere a person is asked to. */
function installTools() {
  const missing = Object.keys(FOUND).filter((tool) => !FOUND[tool]());
  if (missing.length === 0) return;
  if (process.getuid?.() === 0 && existsSync('/etc/debian_version') && onPath('apt-get')) {
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    const names = missing.map((tool) => INSTALLERS[0][2][tool]);
    if (run('apt-get', ['update'], env)) run('apt-get', ['install', '-y', '--no-install-recommends', ...names], env);
  }
  if (!FOUND.ffmpeg()) stop('ffmpeg is not on the PATH; videos are read with it', installCommand('ffmpeg'));
  if (!FOUND.compiler()) {
    say(
      `no C++ compiler: the native backend is off and the slower wasm backend is used\n  hint: ${installCommand('compiler')}`,
    );
  }
  if (!FOUND.mpi()) say(`no Open MPI: the tests of many processes are skipped\n  hint: ${installCommand('mpi')}`);
}

checkNode();
installPackages();
compile();
installTools();
