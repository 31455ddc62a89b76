/** Which rank this process is, from the environment that mpirun, prterun or srun gives it. */
import { ConfigError } from '../base/errors.js';

export interface Launch {
  readonly rank: number;
  readonly size: number;
  /** Number among the ranks of this machine, and how many these are. */
  readonly localRank: number;
  readonly localSize: number;
  readonly launcher: 'mpirun' | 'srun';
}

type Environment = Readonly<Record<string, string | undefined>>;

function count(environment: Environment, name: string): number | undefined {
  const text = environment[name];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Slurm's tasks a node, as `4(x2),3`: four on each of the first two, three on the third. */
function tasksOnNode(text: string | undefined, node: number): number | undefined {
  let first = 0;
  for (const [, tasks, times] of (text ?? '').matchAll(/(\d+)(?:\(x(\d+)\))?/g)) {
    first += Number(times ?? 1);
    if (node < first) return Number(tasks);
  }
  return undefined;
}

function fromOpenMpi(environment: Environment): Launch | undefined {
  const rank = count(environment, 'OMPI_COMM_WORLD_RANK');
  const size = count(environment, 'OMPI_COMM_WORLD_SIZE');
  if (rank === undefined || size === undefined) return undefined;
  const localRank = count(environment, 'OMPI_COMM_WORLD_LOCAL_RANK') ?? rank;
  return {
    ...{ rank, size, localRank, launcher: 'mpirun' },
    localSize: count(environment, 'OMPI_COMM_WORLD_LOCAL_SIZE') ?? size,
  };
}

function fromSlurm(environment: Environment): Launch | undefined {
  const size = count(environment, 'SLURM_STEP_NUM_TASKS');
  const procId = count(environment, 'SLURM_PROCID');
  if (size === undefined || procId === undefined || size < 2) return undefined;
  const rank = count(environment, 'PMIX_RANK');
  if (rank === undefined) {
    throw new ConfigError('E_LAUNCH', `srun started ${size} tasks without PMIx: each would train on its own.`, {
      hint: 'Start them with srun --mpi=pmix (srun --mpi=list shows what this cluster has), or with mpirun.',
    });
  }
  const node = count(environment, 'SLURM_NODEID') ?? 0;
  const localSize = tasksOnNode(environment['SLURM_STEP_TASKS_PER_NODE'], node) ?? size;
  return { rank, size, localRank: count(environment, 'SLURM_LOCALID') ?? rank, localSize, launcher: 'srun' };
}

/**
 * The launch that this process is part of, or null when it was started alone.
 *
 * @throws ConfigError E_LAUNCH where several processes were started in a way that does not let them find each other
 */
export function detectLaunch(environment: Environment = process.env): Launch | null {
  const launch = fromOpenMpi(environment) ?? fromSlurm(environment);
  if (launch !== undefined) return launch.size > 1 ? launch : null;
  const mpichSize = count(environment, 'PMI_SIZE') ?? 1;
  if (mpichSize > 1) {
    throw new ConfigError('E_LAUNCH', `A launcher of MPICH started ${mpichSize} processes; Open MPI is needed.`, {
      hint: "Use Open MPI's mpirun: mpirun --version must say Open MPI. Debian: apt install openmpi-bin.",
    });
  }
  return null;
}
