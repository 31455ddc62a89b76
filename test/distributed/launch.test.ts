import { describe, expect, it } from 'vitest';
import { detectLaunch } from '../../src/distributed/launch.js';
import { gpuOfRank, threadsOfRank } from '../../src/distributed/open-communicator.js';

const OPEN_MPI = {
  OMPI_COMM_WORLD_RANK: '5',
  OMPI_COMM_WORLD_SIZE: '8',
  OMPI_COMM_WORLD_LOCAL_RANK: '1',
  OMPI_COMM_WORLD_LOCAL_SIZE: '4',
};
const SLURM = { SLURM_STEP_NUM_TASKS: '11', SLURM_PROCID: '9', SLURM_NODEID: '2', SLURM_LOCALID: '1' };

describe('detectLaunch', () => {
  it('reads what mpirun gives', () => {
    expect(detectLaunch(OPEN_MPI)).toEqual({ rank: 5, size: 8, localRank: 1, localSize: 4, launcher: 'mpirun' });
  });

  it('reads what srun --mpi=pmix gives, with the tasks of its own node', () => {
    const environment = { ...SLURM, PMIX_RANK: '9', SLURM_STEP_TASKS_PER_NODE: '4(x2),3' };
    expect(detectLaunch(environment)).toEqual({ rank: 9, size: 11, localRank: 1, localSize: 3, launcher: 'srun' });
  });

  it('refuses srun without PMIx, where each task would train alone', () => {
    expect(() => detectLaunch(SLURM)).toThrow(expect.objectContaining({ code: 'E_LAUNCH' }));
  });

  it("refuses MPICH's launcher", () => {
    expect(() => detectLaunch({ PMI_RANK: '0', PMI_SIZE: '2' })).toThrow(expect.objectContaining({ code: 'E_LAUNCH' }));
  });

  it.each([
    ['an empty environment', {}],
    // A batch script itself is no task: only what it starts with srun is.
    ['a batch script', { SLURM_PROCID: '0', SLURM_NTASKS: '8' }],
    ['one rank', { OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '1' }],
    ['one task', { ...SLURM, SLURM_STEP_NUM_TASKS: '1' }],
  ])('takes %s for a process started alone', (_, environment) => {
    expect(detectLaunch(environment)).toBeNull();
  });
});

describe('what a rank gets of its machine', () => {
  const launch = { rank: 5, size: 8, localRank: 1, localSize: 4, launcher: 'mpirun' } as const;

  it('is the GPU of its local number, or the only one that it sees', () => {
    expect(gpuOfRank(launch, 4, undefined)).toBe(1);
    expect(gpuOfRank(launch, 1, '3')).toBe(0);
  });

  it.each([
    [1, undefined],
    [3, undefined],
    [2, '0,1'],
  ])('is refused where %i GPUs (CUDA_VISIBLE_DEVICES %s) would serve several ranks', (gpus, visible) => {
    expect(() => gpuOfRank(launch, gpus, visible)).toThrow(expect.objectContaining({ code: 'E_TOO_FEW_GPUS' }));
  });

  it('is its share of the cores, unless the launcher or the user has chosen', () => {
    expect(threadsOfRank(launch, { usable: 10, all: 10 }, {})).toBe(2);
    expect(threadsOfRank(launch, { usable: 2, all: 2 }, {})).toBe(1);
    expect(threadsOfRank(launch, { usable: 2, all: 8 }, {})).toBeUndefined();
    expect(threadsOfRank(launch, { usable: 8, all: 8 }, { OMP_NUM_THREADS: '8' })).toBeUndefined();
  });
});
