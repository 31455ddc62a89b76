/** The communicator that fits how this process was started. */
import { BackendError } from '../base/errors.js';
import type { Communicator } from './communicator.js';
import { detectLaunch, type Launch } from './launch.js';
import { MpiCommunicator } from './mpi/mpi-communicator.js';
import { SingleProcess } from './single-process.js';
import { collectiveTimeoutSec } from './wait.js';

export interface Group {
  readonly communicator: Communicator;
  /** null: one process, started alone. */
  readonly launch: Launch | null;
}

/** Joins the other ranks over MPI, or stays alone. @throws ConfigError E_LAUNCH; BackendError as MpiCommunicator.open */
export function openGroup(launch: Launch | null = detectLaunch()): Group {
  if (launch === null) return { communicator: new SingleProcess(), launch };
  return { launch, communicator: MpiCommunicator.open({ launch, timeoutSec: collectiveTimeoutSec() }) };
}

/**
 * Which GPU a rank takes: the one of its number on the machine, or the only one it sees (Slurm may give each task its own).
 *
 * @param gpus that this process sees
 * @throws BackendError E_TOO_FEW_GPUS
 */
export function gpuOfRank({ localRank, localSize }: Launch, gpus: number, visible: string | undefined): number {
  if (gpus >= localSize) return localRank;
  if (gpus === 1 && visible !== undefined) return 0;
  throw new BackendError('E_TOO_FEW_GPUS', `${localSize} ranks on this machine, ${gpus} GPUs: a GPU serves one rank.`, {
    hint: `Start ${gpus} ranks a machine (mpirun --map-by ppr:${gpus}:node, or #SBATCH --ntasks-per-node=${gpus}).`,
  });
}

/** Threads for each of the ranks that share this machine's cores; undefined leaves the choice to the backend. */
export function threadsOfRank(
  launch: Launch,
  cores: { usable: number; all: number },
  environment: Readonly<Record<string, string | undefined>> = process.env,
): number | undefined {
  // The launcher has bound this process to cores of its own, or someone has set a number.
  if (cores.usable < cores.all || environment['OMP_NUM_THREADS'] !== undefined) return undefined;
  return Math.max(1, Math.floor(cores.usable / launch.localSize));
}
