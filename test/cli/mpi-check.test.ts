import { describe, expect, it } from 'vitest';
import { BackendError } from '../../src/base/errors.js';
import { checkMpi } from '../../src/cli/doctor/mpi-check.js';
import { loadMpi } from '../../src/distributed/mpi/library.js';
import { whyNoMpi } from '../support/mpi/run-ranks.js';

describe("doctor's check of Open MPI", () => {
  it('is a note with the way to get it where it is absent', () => {
    const check = checkMpi(() => {
      throw new BackendError('E_MPI_ABSENT', "Open MPI's library: not found.", { hint: 'Install Open MPI' });
    });
    expect(check).toMatchObject({ name: 'Open MPI', status: 'note', fix: 'Install Open MPI' });
    expect(check.found).toBe("Open MPI's library: not found. Needed to train in several processes only.");
  });

  it.skipIf(whyNoMpi() !== undefined)('names version and file where mpirun is installed', () => {
    expect(checkMpi(() => loadMpi({ PATH: process.env['PATH'] }))).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(/^[45]\.\d+\.\d+, .*libmpi/),
    });
  });
});
