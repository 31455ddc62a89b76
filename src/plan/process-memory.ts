/**
 * Memory outside device memory. A plan runs the program's own code on a device that holds nothing, so what this process
 * takes is what the real one takes beside its device memory, but for the native library.
 */
import { resourceUsage } from 'node:process';

/**
 * Kernels, OpenBLAS or the built-in product's packing buffers, stacks of the threads. Measured as the difference between
 * the resident memory of a run and its device memory: see docs/how-to/fine-tune-internvl.md.
 */
const NATIVE_LIBRARY_BYTES = 24 * 2 ** 20;

/** Most resident memory that this process had, with what the native library adds. */
export function processBytes(): number {
  return resourceUsage().maxRSS * 1024 + NATIVE_LIBRARY_BYTES;
}
