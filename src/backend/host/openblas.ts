/**
 * Which library multiplies large fp32 matrices: the built-in kernel, or an OpenBLAS that the machine has.
 *
 * Neither is always faster: with AVX-512 ours is level with OpenBLAS's, and ahead of its AVX2 kernels, which old releases
 * take on processors they do not know. So 'auto' measures once and keeps the figures beside the kernel library; a run
 * that is resumed chooses the same. Both sum in an order that shapes alone decide, but not in the same one: their last
 * bits differ.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { LibraryHandle } from 'koffi';
import { writeFileAtomic } from '../../base/atomic-file.js';
import { BackendError } from '../../base/errors.js';
import { sha256 } from '../../base/hash.js';
import type { GemmSpeed } from './gemm-speed.js';

export const GEMM_CHOICES = ['auto', 'builtin', 'openblas'] as const;

export interface GemmOptions {
  /** Default MIMIC_GEMM, else auto. */
  readonly gemm?: (typeof GEMM_CHOICES)[number] | undefined;
  /** Path of an OpenBLAS library; default MIMIC_OPENBLAS, else what the loader finds. */
  readonly openBlas?: string | undefined;
}

/** What `mimic doctor` prints. */
export interface GemmChoice {
  readonly library: 'builtin' | 'openblas';
  readonly reason: string;
  /** Of one thread, where they were measured. */
  readonly gflops: Partial<GemmSpeed>;
}

const NAMES = ['libopenblas.so.0', 'libopenblas.so', 'libopenblas.dylib'];
/** Different bits and another library to depend on are not worth less. */
const WORTHWHILE_RATIO = 1.1;

interface OpenBlas {
  readonly found: string;
  readonly key: string;
}

function wantedOf({ gemm, openBlas }: GemmOptions) {
  const asked = gemm ?? (process.env['MIMIC_GEMM'] || 'auto');
  const wanted = GEMM_CHOICES.find((choice) => choice === asked);
  if (wanted === undefined) {
    throw new BackendError('E_GEMM_UNKNOWN', `MIMIC_GEMM: got ${asked}, expected one of ${GEMM_CHOICES.join(', ')}`);
  }
  return { wanted, path: openBlas ?? (process.env['MIMIC_OPENBLAS'] || undefined) };
}

/**
 * Environment that OpenBLAS reads when it is loaded: no threads of its own (we call it from ours), and its AVX-512
 * kernels on AMD processors newer than the release, unless the user chose others.
 */
function loadSettings(): Record<string, string> {
  const threads = { OPENBLAS_NUM_THREADS: '1' };
  const avx512 = () => /^flags.*\bavx512f\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
  const chosen = process.env['OPENBLAS_CORETYPE'] !== undefined;
  if (chosen || process.platform !== 'linux' || !cpus()[0]?.model.includes('AMD') || !avx512()) return threads;
  return { ...threads, OPENBLAS_CORETYPE: 'SkylakeX' };
}

function withEnvironment<T>(settings: Readonly<Record<string, string>>, run: () => T): T {
  const before = Object.keys(settings).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, settings);
  try {
    return run();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

/** The first that can be used, or why there is none. */
function openAny(library: LibraryHandle, names: readonly string[]): OpenBlas | string {
  const open = library.func('host_blas_open', 'str', ['str']);
  const text = (name: string): string => library.func(name, 'str', [])();
  const failures: string[] = [];
  for (const name of names) {
    const failure: string = withEnvironment(loadSettings(), () => open(name));
    if (failure === '') {
      const [path, config, core] = [text('host_blas_path'), text('host_blas_config'), text('host_blas_core')];
      const chosen = process.env['OPENBLAS_CORETYPE'] === undefined ? '' : ' as OPENBLAS_CORETYPE says';
      const version = /OpenBLAS [\d.]+/.exec(config)?.[0] ?? 'OpenBLAS';
      return { found: `${version} (${core} kernels${chosen}, ${path})`, key: JSON.stringify([path, config, core]) };
    }
    failures.push(failure.startsWith(name) ? failure : `${name}: ${failure}`);
  }
  return failures.join('; ');
}

function readMeasured(path: string): GemmSpeed | undefined {
  try {
    const { builtin, openblas } = JSON.parse(readFileSync(path, 'utf8')) as Partial<GemmSpeed>;
    return builtin !== undefined && openblas !== undefined ? { builtin, openblas } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Chooses, and tells the kernel library.
 *
 * @param folder where the measurement is kept
 * @param measure GFLOP/s of large products on one thread with the library in use
 * @throws BackendError E_GEMM_UNKNOWN, or E_OPENBLAS_ABSENT when it was asked for and cannot be used
 */
export async function chooseGemm(
  library: LibraryHandle,
  folder: string,
  options: GemmOptions,
  measure: (select: (library: GemmChoice['library']) => void) => GemmSpeed,
): Promise<GemmChoice> {
  const { wanted, path } = wantedOf(options);
  const use = library.func('host_blas_use', 'void', ['int']);
  const select = (name: GemmChoice['library']) => use(name === 'openblas' ? 1 : 0);
  select('builtin');
  if (wanted === 'builtin') return { library: 'builtin', reason: 'as asked for', gflops: {} };
  const openBlas = openAny(library, path === undefined ? NAMES : [path]);
  if (typeof openBlas === 'string') {
    if (wanted === 'auto' && path === undefined) {
      return { library: 'builtin', reason: `no OpenBLAS was found: ${openBlas}`, gflops: {} };
    }
    throw new BackendError('E_OPENBLAS_ABSENT', `OpenBLAS: could not be used: ${openBlas}`, {
      hint: 'install one (Debian: apt install libopenblas0), give its path in MIMIC_OPENBLAS, or unset MIMIC_GEMM and MIMIC_OPENBLAS',
    });
  }
  if (wanted === 'openblas') {
    select('openblas');
    return { library: 'openblas', reason: `${openBlas.found}, as asked for`, gflops: {} };
  }
  const file = join(folder, `gemm-${sha256(openBlas.key).slice(0, 16)}.json`);
  let gflops = readMeasured(file);
  if (gflops === undefined) {
    const now = measure(select);
    // Another process may have measured meanwhile: all keep the same figures.
    gflops = readMeasured(file) ?? now;
    if (gflops === now) await writeFileAtomic(file, `${JSON.stringify(now)}\n`);
  }
  const chosen = gflops.openblas >= WORTHWHILE_RATIO * gflops.builtin ? 'openblas' : 'builtin';
  select(chosen);
  const [ours, theirs] = [gflops.builtin.toFixed(0), gflops.openblas.toFixed(0)];
  const rule = `taken when ${WORTHWHILE_RATIO} x as fast`;
  return {
    library: chosen,
    reason: `one thread: built-in ${ours} GFLOP/s, ${openBlas.found} ${theirs}, ${rule}`,
    gflops,
  };
}
