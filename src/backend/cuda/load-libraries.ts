/** Loads what find-libraries.ts proposes: the first candidate that the system's loader accepts. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { type LibraryHandle, load } from 'koffi';
import { BackendError } from '../../base/errors.js';
import {
  type CudaLibrary,
  type LibraryCandidate,
  type LibrarySearch,
  libraryCandidates,
  searchedPlaces,
} from './find-libraries.js';

export interface LoadedLibrary {
  readonly name: CudaLibrary;
  readonly handle: LibraryHandle;
  /** Where the loader found it. */
  readonly path: string;
  readonly major?: number;
  /** The rule of the search that led there. */
  readonly place: string;
}

export interface AbsentLibrary {
  readonly name: CudaLibrary;
  readonly reason: string;
  readonly fix: string;
}

const LABELS: Readonly<Record<CudaLibrary, string>> = {
  cuda: "NVIDIA's driver library (libcuda)",
  nvrtc: "NVIDIA's runtime compiler (NVRTC)",
  cublasLt: 'cuBLASLt',
  nccl: 'NCCL',
};
const PIP_PACKAGES: Readonly<Record<Exclude<CudaLibrary, 'cuda'>, string>> = {
  nvrtc: 'nvidia-cuda-nvrtc-cu12',
  cublasLt: 'nvidia-cublas-cu12',
  nccl: 'nvidia-nccl-cu12',
};

/** Libraries that the wanted one opens by name while it runs: loaded before it, by full path, they need no search path. */
const COMPANIONS: Readonly<Partial<Record<CudaLibrary, RegExp>>> = { nvrtc: /^libnvrtc-builtins\.so\.[\d.]+$/ };

function fixOf(name: CudaLibrary, newestMajor: number | undefined): string {
  if (name === 'cuda') return 'install the NVIDIA driver (520 or newer); in a container, start it with --gpus all';
  const packageName = PIP_PACKAGES[name].replace('12', String(Math.min(newestMajor ?? 12, 12)));
  return `pip install ${packageName}, or install the CUDA toolkit, or name its folder in MIMIC_CUDA_LIBS`;
}

function loadCompanions(name: CudaLibrary, path: string): void {
  const pattern = COMPANIONS[name];
  if (pattern === undefined || !isAbsolute(path)) return;
  for (const file of readdirSync(dirname(path)).filter((entry) => pattern.test(entry))) {
    load(join(dirname(path), file), { global: true });
  }
}

/** The file behind a library that the loader found by its bare name. */
function mappedPath(file: string): string {
  if (isAbsolute(file)) return file;
  try {
    const maps = readFileSync('/proc/self/maps', 'utf8');
    return maps.match(/\/\S*$/gm)?.find((path) => basename(path).startsWith(file)) ?? file;
  } catch {
    return file; // no /proc: the bare name has to do
  }
}

function tryLoad(name: CudaLibrary, { path, major, place }: LibraryCandidate): LoadedLibrary {
  loadCompanions(name, path);
  const handle = load(path, { global: name === 'cuda' });
  return { name, handle, path: mappedPath(path), place, ...(major === undefined ? {} : { major }) };
}

/** Loads a library, or says why not and what to do. */
export function loadLibrary(name: CudaLibrary, search: LibrarySearch = {}): LoadedLibrary | AbsentLibrary {
  const failures: string[] = [];
  for (const candidate of libraryCandidates(name, search)) {
    try {
      return tryLoad(name, candidate);
    } catch (error) {
      // A name that the loader does not know says nothing; a file that is there and does not load does.
      if (!isAbsolute(candidate.path)) continue;
      failures.push(`${candidate.path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const { newestMajor } = search;
  const tooNew = newestMajor === undefined ? [] : libraryCandidates(name, { ...search, newestMajor: undefined });
  for (const { path, major = 0 } of tooNew.filter((candidate) => isAbsolute(candidate.path))) {
    if (major > (newestMajor ?? major)) failures.push(`${path} needs a driver for CUDA ${major}`);
  }
  const looked = `looked through ${searchedPlaces(name)}`;
  return {
    name,
    reason: failures.length > 0 ? `${failures.join('; ')}; ${looked}` : `not found; ${looked}`,
    fix: fixOf(name, newestMajor),
  };
}

export function isLoaded(library: LoadedLibrary | AbsentLibrary): library is LoadedLibrary {
  return 'handle' in library;
}

/** @throws BackendError E_LIBRARY_ABSENT */
export function requireLibrary(name: CudaLibrary, search: LibrarySearch = {}): LoadedLibrary {
  const library = loadLibrary(name, search);
  if (isLoaded(library)) return library;
  throw new BackendError('E_LIBRARY_ABSENT', `cuda: ${LABELS[name]}: ${library.reason}`, { hint: library.fix });
}
