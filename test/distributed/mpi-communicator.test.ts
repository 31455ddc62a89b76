import { beforeAll, describe, expect, it } from 'vitest';
import { compileRanks, runRanks, whyNoMpi } from '../support/mpi/run-ranks.js';
import { temporaryFolder } from '../train/temporary-folder.js';

const reason = whyNoMpi();

describe.skipIf(reason !== undefined)(
  `MpiCommunicator with real Open MPI${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  () => {
    const folder = temporaryFolder();
    let program = '';
    beforeAll(() => {
      program = compileRanks(folder, ['collectives']).collectives;
    });

    it.each([2, 3])('sums in the order of the ranks, bit for bit, and gathers, over %i ranks', async (count) => {
      const { exitCode, output } = await runRanks(count, program, []);
      expect(output).toContain(`rank 0 of ${count}: 28 collectives, Open MPI`);
      expect(exitCode).toBe(0);
    });
  },
);
