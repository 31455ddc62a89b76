import { MimicError } from '../../base/errors.js';
import { loadMpi, type MpiLibrary } from '../../distributed/mpi/library.js';
import type { Check } from '../doctor-checks.js';

/** Open MPI's library, which joins the processes of a training run. A note: one process needs none. */
export function checkMpi(load: () => MpiLibrary = loadMpi): Check {
  try {
    const { version, path } = load();
    return { name: 'Open MPI', status: 'ok', found: `${version}, ${path}` };
  } catch (error) {
    if (!(error instanceof MimicError)) throw error;
    const found = `${error.message} Needed to train in several processes only.`;
    return { name: 'Open MPI', status: 'note', found, ...(error.hint === undefined ? {} : { fix: error.hint }) };
  }
}
