/**
 * Where NVIDIA's libraries may lie, in the order of trust: explicit configuration, CUDA_HOME, the loader's path,
 * /usr/local/cuda*, pip's nvidia packages. GPU servers often have only the last.
 */
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export const CUDA_LIBRARIES = ['cuda', 'nvrtc', 'cublasLt', 'nccl'] as const;
export type CudaLibrary = (typeof CUDA_LIBRARIES)[number];

/** One file that may be the library. */
export interface LibraryCandidate {
  /** Absolute, or a bare name that the loader resolves. */
  readonly path: string;
  /** The CUDA release it was made for; undefined where the name does not tell. */
  readonly major?: number;
  /** The rule that led here, for messages. */
  readonly place: string;
}

export interface LibrarySearch {
  /** Folders to look into first; default MIMIC_CUDA_LIBS, separated as PATH is. */
  readonly folders?: readonly string[] | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Put before the usual system folders, so that tests see theirs. */
  readonly systemRoot?: string | undefined;
  /** The newest CUDA release that the driver runs; libraries made for a later one are left out. */
  readonly newestMajor?: number | undefined;
}

interface LibraryName {
  readonly file: string;
  readonly major?: number;
}

const FILE_NAMES: Readonly<Record<CudaLibrary, readonly LibraryName[]>> = {
  cuda: [{ file: 'libcuda.so.1' }],
  nvrtc: [
    { file: 'libnvrtc.so.13', major: 13 },
    { file: 'libnvrtc.so.12', major: 12 },
    { file: 'libnvrtc.so.11.2', major: 11 },
  ],
  cublasLt: [
    { file: 'libcublasLt.so.13', major: 13 },
    { file: 'libcublasLt.so.12', major: 12 },
    { file: 'libcublasLt.so.11', major: 11 },
  ],
  nccl: [{ file: 'libnccl.so.2' }],
};

/** The driver comes with the machine, not with a toolkit: containers and WSL mount it here. */
const DRIVER_FOLDERS = ['/usr/local/nvidia/lib64', '/usr/lib/wsl/lib', '/usr/lib/x86_64-linux-gnu', '/usr/lib64'];
const TOOLKIT_SUBFOLDERS = ['lib64', 'lib', 'targets/x86_64-linux/lib', 'targets/sbsa-linux/lib'];
const PYTHON_PREFIXES = ['/usr/local', '/usr', '/opt/conda', '/opt/venv'];

interface Place {
  readonly place: string;
  /** undefined: the loader's own search. */
  readonly folder?: string;
}

/** Names in a folder, or none where it cannot be read. */
function entries(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return []; // absent or closed to us: there is nothing to find in it
  }
}

/** Newest first: cuda-13.0 before cuda-12.9 before plain cuda, whose target is one of them. */
function toolkits(root: string): string[] {
  const version = (name: string) => {
    const [major = 0, minor = 0] = name
      .replace(/^cuda-?/, '')
      .split('.')
      .map(Number);
    return major * 1000 + minor;
  };
  return entries(join(root, '/usr/local'))
    .filter((name) => /^cuda(-[\d.]+)?$/.test(name))
    .sort((a, b) => version(b) - version(a))
    .map((name) => join(root, '/usr/local', name));
}

/** site-packages of the active environment, then of the usual Pythons, newest first; PYTHONPATH before all. */
function sitePackages(environment: Readonly<Record<string, string | undefined>>, root: string): string[] {
  const active = [environment['VIRTUAL_ENV'], environment['CONDA_PREFIX']].filter((prefix) => prefix !== undefined);
  const home = environment['HOME'] === undefined ? [] : [join(environment['HOME'], '.local')];
  const prefixes = [...active, ...home, ...PYTHON_PREFIXES.map((prefix) => join(root, prefix))];
  const minor = (name: string) => Number(name.split('.')[1] ?? 0);
  const found = prefixes.flatMap((prefix) => {
    const pythons = entries(join(prefix, 'lib')).filter((name) => /^python3(\.\d+)?$/.test(name));
    return pythons
      .sort((a, b) => minor(b) - minor(a))
      .flatMap((python) => ['site-packages', 'dist-packages'].map((packages) => join(prefix, 'lib', python, packages)));
  });
  return [...(environment['PYTHONPATH'] ?? '').split(delimiter).filter(Boolean), ...found];
}

function places(library: CudaLibrary, search: LibrarySearch): Place[] {
  const environment = search.environment ?? process.env;
  const root = search.systemRoot ?? '/';
  const explicit = search.folders ?? (environment['MIMIC_CUDA_LIBS'] ?? '').split(delimiter).filter(Boolean);
  const homes = [environment['CUDA_HOME'], environment['CUDA_PATH']].filter((home) => home !== undefined);
  const inToolkit = (home: string) => TOOLKIT_SUBFOLDERS.map((subfolder) => join(home, subfolder));
  const pip = sitePackages(environment, root).flatMap((packages) =>
    entries(join(packages, 'nvidia')).map((name) => join(packages, 'nvidia', name, 'lib')),
  );
  const of = (place: string, folders: readonly string[]) => folders.map((folder) => ({ place, folder }));
  return [
    ...of('MIMIC_CUDA_LIBS', explicit),
    ...of('CUDA_HOME', homes.flatMap(inToolkit)),
    { place: 'the loader path' },
    ...of('/usr/local/cuda*', toolkits(root).flatMap(inToolkit)),
    ...(library === 'cuda'
      ? of(
          'driver folders',
          DRIVER_FOLDERS.map((folder) => join(root, folder)),
        )
      : []),
    ...of("pip's nvidia packages", pip),
  ];
}

/** Every file that may be the library, best first. Bare names are the loader's to find: they may not exist. */
export function libraryCandidates(library: CudaLibrary, search: LibrarySearch = {}): LibraryCandidate[] {
  const newest = search.newestMajor ?? Number.POSITIVE_INFINITY;
  const names = FILE_NAMES[library].filter(({ major = 0 }) => major <= newest);
  return places(library, search).flatMap(({ place, folder }) =>
    names.flatMap(({ file, major }) => {
      const path = folder === undefined ? file : join(folder, file);
      if (folder !== undefined && !existsSync(path)) return [];
      return [major === undefined ? { path, place } : { path, major, place }];
    }),
  );
}

/** What was looked through, for messages. */
export function searchedPlaces(library: CudaLibrary): string {
  const driver = library === 'cuda' ? ', the folders where containers mount the driver' : '';
  return `MIMIC_CUDA_LIBS, CUDA_HOME, the loader path, /usr/local/cuda*${driver} and pip's nvidia packages`;
}
