/** The way of `mimic train` into a group of processes and out of it. */
import { availableParallelism, cpus } from 'node:os';
import { Driver } from '../backend/cuda/driver.js';
import { type BackendOptions, type ChosenBackend, useBackend } from '../backend/select.js';
import { BackendError, MimicError } from '../base/errors.js';
import { log } from '../base/logger.js';
import { isCommon } from '../distributed/agreement.js';
import type { Communicator } from '../distributed/communicator.js';
import type { Launch } from '../distributed/launch.js';
import { gpuOfRank, openGroup, threadsOfRank } from '../distributed/open-communicator.js';
import { withNccl } from '../distributed/with-nccl.js';

/** How many GPUs this process sees; none where there is no driver. */
function visibleGpus(): number {
  try {
    return Driver.open().deviceCount();
  } catch (error) {
    if (error instanceof BackendError) return 0;
    throw error;
  }
}

/** The device and the threads of one of several ranks; what the user has set stands. */
export function optionsOfRank(options: BackendOptions, launch: Launch, gpus = visibleGpus()): BackendOptions {
  const { device = 'auto', backend = 'native' } = options;
  const wantsGpu = backend === 'native' && (device === 'cuda' || (device === 'auto' && gpus > 0));
  if (wantsGpu) return { ...options, device: `cuda:${gpuOfRank(launch, gpus, process.env['CUDA_VISIBLE_DEVICES'])}` };
  const threads = options.threads ?? threadsOfRank(launch, { usable: availableParallelism(), all: cpus().length });
  return { ...options, threads };
}

/**
 * Joins the other ranks that the launcher started, starts the backend, does the work and leaves.
 *
 * An error that the others do not know of ends them all: they would wait for this rank for ever.
 */
export async function asRank<T>(
  options: BackendOptions,
  work: (communicator: Communicator, chosen: ChosenBackend) => Promise<T>,
): Promise<T> {
  const group = openGroup();
  let { communicator } = group;
  if (communicator.rank > 0 && (log.level === 'info' || log.level === 'debug')) log.level = 'warn';
  let result: T;
  try {
    const chosen = await useBackend(group.launch === null ? options : optionsOfRank(options, group.launch));
    communicator = withNccl(communicator);
    result = await work(communicator, chosen);
  } catch (error) {
    if (communicator.size > 1 && !isCommon(error)) communicator.abort(describe(error));
    leaveTogether(communicator);
    communicator.dispose();
    throw error;
  }
  communicator.barrier();
  communicator.dispose();
  return result;
}

/**
 * The launcher ends the others when the first exits with another code than 0, and rank 0 may still be writing its report.
 * What ended the run matters more than a rank that is lost by now.
 */
function leaveTogether(communicator: Communicator): void {
  try {
    communicator.barrier();
  } catch (error) {
    log.debug(`the ranks did not leave together: ${String(error)}`);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof MimicError)) return error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `${error.code}: ${error.message}${error.hint === undefined ? '' : `\n  hint: ${error.hint}`}`;
}
