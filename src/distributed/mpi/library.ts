/** Finds Open MPI and binds its functions. */
import { existsSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { type LibraryHandle, load } from 'koffi';
import { bindCalls, type Calls, OutValue } from '../../backend/cuda/prototype.js';
import { BackendError } from '../../base/errors.js';
import { MPI_FUNCTIONS, MPI_HANDLES } from './functions.js';

export interface MpiLibrary {
  readonly path: string;
  /** As `4.1.4`. */
  readonly version: string;
  readonly calls: Calls<typeof MPI_FUNCTIONS>;
  readonly handles: Readonly<Record<keyof typeof MPI_HANDLES, number>>;
}

const HINT =
  'Install Open MPI (Debian: apt install openmpi-bin), or name its libmpi.so in MIMIC_MPI_LIB; on a cluster, load its module.';
/** libmpi.so.40 is Open MPI 3 to 5; MPICH and its kin have .12. */
const NAMES = ['libmpi.so.40', 'libmpi.so', 'libmpi.40.dylib'];
const FOLDERS = ['/usr/lib64/openmpi/lib', '/opt/openmpi/lib', '/usr/local/lib', '/opt/homebrew/lib'];
const VERSION_BYTES = 256;
/** SIGABRT. By default Open MPI also takes SIGSEGV, which V8 needs for WebAssembly. */
const SIGNALS_TRACED = '6';

type Environment = Readonly<Record<string, string | undefined>>;

/** Files and bare names to try, best first: what is named, the mpirun on the PATH, the loader's, usual folders. */
export function mpiCandidates(environment: Environment = process.env): string[] {
  const named = environment['MIMIC_MPI_LIB'];
  if (named) return [named];
  const homes = ['OPAL_PREFIX', 'MPI_HOME', 'OMPI_HOME'].map((name) => environment[name]).filter((home) => home);
  const bins = (environment['PATH'] ?? '').split(delimiter).filter((bin) => bin && existsSync(join(bin, 'ompi_info')));
  const folders = [...homes.map((home) => join(home ?? '', 'lib')), ...bins.map((bin) => join(dirname(bin), 'lib'))];
  const files = (all: readonly string[]) => all.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [...files(folders).filter(existsSync), ...NAMES, ...files(FOLDERS).filter(existsSync)];
}

/** The first line of what the library says about itself; works before MPI_Init. */
function selfDescription(library: LibraryHandle): string {
  const text = Buffer.alloc(VERSION_BYTES * 32);
  library.func('MPI_Get_library_version', 'int', ['void *', 'void *'])(text, new OutValue().bytes);
  return text.toString('utf8', 0, text.indexOf(0)).split('\n')[0] ?? '';
}

function bind(library: LibraryHandle, path: string): MpiLibrary {
  const about = selfDescription(library);
  const version = /^Open MPI v([\d.]+)/.exec(about)?.[1];
  if (version === undefined || Number.parseInt(version, 10) < 4) {
    throw new BackendError(
      'E_MPI_FLAVOUR',
      `${path} is ${about.slice(0, VERSION_BYTES)}; expected Open MPI 4 or newer.`,
      {
        hint: `MPICH's handles differ. ${HINT}`,
      },
    );
  }
  const names = Object.entries(MPI_HANDLES);
  const handles = Object.fromEntries(names.map(([name, symbol]) => [name, Number(library.symbol(symbol))]));
  return {
    path,
    version,
    calls: bindCalls(library, MPI_FUNCTIONS),
    handles: handles as MpiLibrary['handles'],
  };
}

/**
 * Loads the library without starting MPI.
 *
 * @throws BackendError E_MPI_ABSENT, E_MPI_FLAVOUR
 */
export function loadMpi(environment: Environment = process.env): MpiLibrary {
  process.env['OMPI_MCA_opal_signal'] ??= SIGNALS_TRACED;
  const failures: string[] = [];
  for (const path of mpiCandidates(environment)) {
    let library: LibraryHandle;
    try {
      // Global: Open MPI's own plug-ins look for its symbols in the process.
      library = load(path, { global: true });
    } catch (error) {
      if (isAbsolute(path)) failures.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
      continue;
    }
    return bind(library, path);
  }
  const why = failures.length === 0 ? 'not found on the loader path or beside mpirun' : failures.join('; ');
  throw new BackendError('E_MPI_ABSENT', `Open MPI's library: ${why}.`, { hint: HINT });
}
