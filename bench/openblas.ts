/** OpenBLAS's sgemm as a peer, called through koffi as our own kernel is. */
import { existsSync, readFileSync } from 'node:fs';
import { load } from 'koffi';

const NAMES = ['libopenblas.so.0', 'libopenblas.so', 'libopenblas.dylib'];
const [ROW_MAJOR, PLAIN, TRANSPOSED] = [101, 111, 112];

export interface SgemmShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

export interface OpenBlas {
  /** Release and the processor its kernels were chosen for. */
  readonly version: string;
  readonly sgemm: (shape: SgemmShape, a: number, b: number, c: number) => void;
}

/**
 * The fastest kernels this processor can run: a release older than the processor falls back to AVX2, and a value from the
 * environment may hold it there.
 */
export function chooseCoreType(): void {
  const hasAvx512 = existsSync('/proc/cpuinfo') && readFileSync('/proc/cpuinfo', 'utf8').includes('avx512f');
  if (hasAvx512) process.env['OPENBLAS_CORETYPE'] = 'SkylakeX';
  else delete process.env['OPENBLAS_CORETYPE'];
}

/** @returns why not, where no OpenBLAS can be loaded */
export function loadOpenBlas(threads: number): OpenBlas | { readonly reason: string } {
  chooseCoreType();
  for (const name of NAMES) {
    try {
      const library = load(name);
      library.func('openblas_set_num_threads', 'void', ['int'])(threads);
      const config: unknown = library.func('openblas_get_config', 'str', [])();
      const core: unknown = library.func('openblas_get_corename', 'str', [])();
      const types = [...Array(6).fill('int'), 'float', 'uint64', 'int', 'uint64', 'int', 'float', 'uint64', 'int'];
      const call = library.func('cblas_sgemm', 'void', types);
      const release = /OpenBLAS [\d.]+/.exec(String(config))?.[0] ?? 'OpenBLAS';
      return {
        version: `${release}, ${String(core)} kernels`,
        sgemm: ({ m, n, k, transposeA, transposeB }, a, b, c) => {
          const order = [ROW_MAJOR, transposeA ? TRANSPOSED : PLAIN, transposeB ? TRANSPOSED : PLAIN];
          call(...order, m, n, k, 1, a, transposeA ? m : k, b, transposeB ? k : n, 0, c, n);
        },
      };
    } catch {
      // The next name.
    }
  }
  return { reason: `none of ${NAMES.join(', ')} could be loaded` };
}
