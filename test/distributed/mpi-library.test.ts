import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadMpi, mpiCandidates } from '../../src/distributed/mpi/library.js';
import { temporaryFolder } from '../train/temporary-folder.js';

const folder = temporaryFolder();

/** A library that says of itself what it is, and has nothing else. */
function impostor(name: string, text: string): string {
  const path = join(folder, name);
  const source = `#include <string.h>\nextern "C" int MPI_Get_library_version(char* text, int* n) { strcpy(text, "${text}"); *n = strlen(text); return 0; }`;
  execFileSync('g++', ['-shared', '-fPIC', '-x', 'c++', '-', '-o', path], { input: source });
  return path;
}

describe('loadMpi', () => {
  it.each([
    ['MPICH Version:\\t4.0.2', 'MPICH'],
    ['Open MPI v3.1.6, package: x', 'Open MPI v3'],
  ])('refuses %s, saying what it found', (text, found) => {
    const path = impostor(`${found.replace(/\W/g, '')}.so`, text);
    const refusal = {
      code: 'E_MPI_FLAVOUR',
      message: expect.stringContaining(found),
      hint: expect.stringContaining('MIMIC_MPI_LIB'),
    };
    expect(() => loadMpi({ MIMIC_MPI_LIB: path })).toThrow(expect.objectContaining(refusal));
  });

  it('says what to install when the named file is absent', () => {
    const missing = join(folder, 'absent.so');
    expect(() => loadMpi({ MIMIC_MPI_LIB: missing })).toThrow(
      expect.objectContaining({ code: 'E_MPI_ABSENT', message: expect.stringContaining(missing) }),
    );
  });

  it('tries the named library alone, else the loader', () => {
    expect(mpiCandidates({ MIMIC_MPI_LIB: '/x/libmpi.so' })).toEqual(['/x/libmpi.so']);
    expect(mpiCandidates({ PATH: '' })[0]).toBe('libmpi.so.40');
  });
});
