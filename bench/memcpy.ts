/** The machine's copy bandwidth: the C library's memcpy, a slice for each thread. */
import { load } from 'koffi';
import type { Sample } from './measure.js';

const LIBRARIES = ['libc.so.6', 'libSystem.B.dylib'];

function openLibrary() {
  for (const name of LIBRARIES) {
    try {
      return load(name);
    } catch {
      // The next name.
    }
  }
  throw new Error(`none of ${LIBRARIES.join(', ')} could be loaded`);
}

export interface MemcpyBandwidth {
  /** Copies all bytes once; ms. */
  readonly sample: Sample;
  readonly dispose: () => void;
}

/** @param bytes size of the source; the destination is as large */
export function memcpyBandwidth(bytes: number, threads: number): MemcpyBandwidth {
  const library = openLibrary();
  const malloc = library.func('malloc', 'uint64', ['uint64']);
  const free = library.func('free', 'void', ['uint64']);
  const memset = library.func('memset', 'uint64', ['uint64', 'int', 'uint64']);
  const memcpy = library.func('memcpy', 'uint64', ['uint64', 'uint64', 'uint64']);
  const [from, to] = [Number(malloc(bytes)), Number(malloc(bytes))];
  for (const address of [from, to]) memset(address, 1, bytes);
  const slice = Math.ceil(bytes / threads);
  const copySlice = (thread: number) =>
    new Promise<void>((resolve, reject) => {
      const offset = thread * slice;
      const count = Math.min(slice, bytes - offset);
      memcpy.async(to + offset, from + offset, count, (error: unknown) => (error ? reject(error) : resolve()));
    });
  return {
    sample: async () => {
      const started = performance.now();
      await Promise.all(Array.from({ length: threads }, (_, thread) => copySlice(thread)));
      return performance.now() - started;
    },
    dispose: () => {
      for (const address of [from, to]) free(address);
    },
  };
}
