import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder, findCompiler } from '../../../backend/host/compile.js';
import { writeDirectoryAtomic } from '../../../base/atomic-file.js';
import { sha256 } from '../../../base/hash.js';
import { PRELOAD_SOURCE } from './preload-source.js';

const FLAGS = ['-std=c++17', '-O1', '-shared', '-fPIC'];
const LIBRARY = 'warm-ffmpeg.so';

/** The library that is preloaded, compiled unless it already was. @throws BackendError, or the compiler's error */
export async function buildPreload(): Promise<string> {
  const { command, version } = await findCompiler();
  const hash = sha256(JSON.stringify([command, version, FLAGS, PRELOAD_SOURCE]));
  const folder = join(cacheFolder('ffmpeg'), hash.slice(0, 32));
  const path = join(folder, LIBRARY);
  if (existsSync(path)) return path;
  try {
    await writeDirectoryAtomic(folder, async (build) => {
      const source = join(build, 'warm-ffmpeg.cpp');
      await writeFile(source, PRELOAD_SOURCE);
      const [program = '', ...rest] = command;
      await promisify(execFile)(program, [...rest, ...FLAGS, '-o', join(build, LIBRARY), source, '-ldl']);
    });
  } catch (error) {
    // Another process may have finished the same build first.
    if (!existsSync(path)) throw error;
  }
  return path;
}
