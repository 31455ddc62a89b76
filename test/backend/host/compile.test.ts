import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildLibrary } from '../../../src/backend/host/compile.js';
import { BackendError } from '../../../src/base/errors.js';

/** A compiler that answers --version, notes each call and writes an empty output. */
const FAKE = `#!/bin/sh
if [ "$1" = --version ]; then echo 'fake 1.0'; exit 0; fi
echo call >> "$CALLS"
while [ $# -gt 0 ]; do if [ "$1" = -o ]; then : > "$2"; fi; shift; done
`;
const BROKEN = `#!/bin/sh
if [ "$1" = --version ]; then echo 'broken 1.0'; exit 0; fi
echo 'first line of a long complaint' >&2
echo 'kernels/binary.cu:1:1: error: nothing works here' >&2
exit 1
`;

let folder = '';
const saved = { ...process.env };

function writeCompiler(text: string): string {
  const path = join(folder, 'cxx');
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

async function failure(): Promise<BackendError> {
  try {
    await buildLibrary();
  } catch (error) {
    if (error instanceof BackendError) return error;
    throw error;
  }
  throw new Error('buildLibrary did not fail');
}

describe('buildLibrary', () => {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mimic-compile-'));
    process.env['XDG_CACHE_HOME'] = join(folder, 'cache');
    process.env['CALLS'] = join(folder, 'calls');
  });
  afterEach(() => {
    process.env = { ...saved };
    rmSync(folder, { recursive: true });
  });

  const calls = () => readFileSync(join(folder, 'calls'), 'utf8').split('\n').length - 1;

  it('says which compilers it tried and what to install when there is none', async () => {
    process.env['CXX'] = '/nowhere/c++ -stdlib=x';
    const error = await failure();
    expect(error.code).toBe('E_COMPILER_ABSENT');
    expect(error.message).toBe('native backend: no C++ compiler; tried /nowhere/c++ -stdlib=x');
    expect(error.hint).toContain('--backend wasm');
  });

  it("shows the end of the compiler's messages, and leaves nothing behind", async () => {
    process.env['CXX'] = writeCompiler(BROKEN);
    const error = await failure();
    expect(error.code).toBe('E_COMPILE_FAILED');
    expect(error.message).toContain('error: nothing works here');
    expect(error.message).toMatch(/native backend: .*cxx failed on .*\.(cu|cpp):/);
    expect(readdirSync(join(folder, 'cache', 'mimic-chat', 'kernels'))).toEqual([]);
  });

  it('compiles each source once and finds the library again', async () => {
    process.env['CXX'] = writeCompiler(FAKE);
    const built = await buildLibrary();
    expect(existsSync(built.path)).toBe(true);
    expect(built.compiler).toBe('fake 1.0');
    expect(built.signatures.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['gelu', 'host_gemm', 'host_alloc']),
    );
    const first = calls();
    expect(await buildLibrary()).toEqual(built);
    expect(calls()).toBe(first);
  });

  it('keeps libraries of different compilers apart', async () => {
    process.env['CXX'] = writeCompiler(FAKE);
    const first = await buildLibrary();
    writeCompiler(FAKE.replace('fake 1.0', 'fake 2.0'));
    expect((await buildLibrary()).path).not.toBe(first.path);
  });

  it('may run many times at once', async () => {
    process.env['CXX'] = writeCompiler(FAKE);
    const built = await Promise.all([buildLibrary(), buildLibrary(), buildLibrary()]);
    expect(new Set(built.map(({ path }) => path)).size).toBe(1);
    expect(existsSync(built[0].path)).toBe(true);
    expect(readdirSync(join(folder, 'cache', 'mimic-chat', 'kernels'))).toHaveLength(1);
  });
});
