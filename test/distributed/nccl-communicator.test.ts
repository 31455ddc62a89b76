import { beforeAll, describe, expect, it } from 'vitest';
import { compileRanks, runRanks, whyNoMpi } from '../support/mpi/run-ranks.js';
import { buildStubNccl } from '../support/nccl/build-nccl.js';
import { temporaryFolder } from '../train/temporary-folder.js';

const reason = whyNoMpi();

describe.skipIf(reason !== undefined)(
  `NcclCommunicator over the stub${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  () => {
    const folder = temporaryFolder();
    let program = '';
    let libraries = '';
    beforeAll(async () => {
      program = compileRanks(`${folder}/program`, ['nccl']).nccl;
      libraries = (await buildStubNccl(folder)).folders;
    });

    it('exchanges device memory after the work queued before, and ends a wait with an error on all ranks', async () => {
      const environment = { MIMIC_CUDA_LIBS: libraries, MIMIC_COLLECTIVE_TIMEOUT_SEC: '2' };
      const { exitCode, output } = await runRanks(2, program, [`${folder}/gave-up`], environment);
      const lines = output.split('\n').filter((line) => /^\[\d\]/.test(line));
      const of = (rank: number) => lines.filter((line) => line.startsWith(`[${rank}]`)).map((line) => line.slice(4));
      for (const rank of [0, 1]) {
        expect(of(rank).slice(0, 6)).toEqual([
          expect.stringMatching(/^NCCL 2\.27\.3 for gradients, Open MPI [\d.]+, 2 ranks$/),
          `reduceScatter ${rank === 0 ? '6,60' : '600,6000'}`,
          'allGather 0,0,1,-1',
          'allReduce 3,30,300,3000',
          'broadcast 1,7',
          'array 0,1',
        ]);
      }
      expect(of(0)[6]).toMatch(
        /^alone: E_COLLECTIVE_TIMEOUT .*rank 0: ncclAllReduce 5: the other ranks did not come within 2 s/,
      );
      expect(of(1)[6]).toMatch(/^after: E_NCCL_CALL .*remote process exited/);
      expect(exitCode).toBe(0);
    });
  },
);
