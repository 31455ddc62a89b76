import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { buildStubCuda } from '../cuda/build-stub.js';

/** Compiles the stub libnccl into `folder`, beside nothing: it finds the stub driver by its full path. */
export async function buildStubNccl(folder: string): Promise<{ folders: string }> {
  const { folder: cuda } = await buildStubCuda();
  const driver = ['-L', cuda, '-l:libcuda.so.1', `-Wl,-rpath,${cuda}`];
  const library = [
    '-shared',
    '-fPIC',
    '-fvisibility=hidden',
    '-Wl,-soname,libnccl.so.2',
    '-o',
    join(folder, 'libnccl.so.2'),
  ];
  const source = join(import.meta.dirname, 'nccl.cpp');
  execFileSync('g++', ['-std=c++17', '-O1', ...library, source, ...driver, '-lrt'], { stdio: 'inherit' });
  return { folders: `${folder}:${cuda}` };
}
