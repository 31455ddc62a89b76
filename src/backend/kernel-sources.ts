/** The kernels' sources, as they lie in the package. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../base/package-root.js';

export interface KernelSource {
  /** File name in its folder. */
  readonly name: string;
  readonly path: string;
  readonly text: string;
}

/** The C++ and CUDA files of src/backend/<folder>, headers included, by name. */
export async function readKernelSources(folder: 'kernels' | 'host' | 'cuda'): Promise<KernelSource[]> {
  const path = join(packageRoot(), 'src', 'backend', folder);
  const names = (await readdir(path)).filter((name) => /\.(cu|cpp|h)$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => ({ name, path: join(path, name), text: await readFile(join(path, name), 'utf8') })),
  );
}
