import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../../..');

/** Compiles a program of this folder, with what it imports, to run as a process of its own; returns its path. */
export function compileProgram(folder: string, name: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  // The kernels' sources, which the native backend reads beside its own code.
  cpSync(join(root, 'src/backend'), join(folder, 'src/backend'), {
    recursive: true,
    filter: (path) => !path.endsWith('.ts'),
  });
  const source = join(root, 'test/train/checkpoint', `${name}.ts`);
  const options = ['--ignoreConfig', '--noCheck', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, ...options, '--rootDir', root, '--outDir', folder, source], {
    stdio: 'inherit',
  });
  return join(folder, 'test/train/checkpoint', `${name}.js`);
}
