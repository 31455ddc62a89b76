/**
 * Named stages of a long operation, for whoever wants to time or measure them: nothing is kept unless somebody watches.
 *
 * The stages of watching a video come in this order; `load` and `decode` wait for the disk, the others compute.
 */
export const PHASES = ['load', 'decode', 'spatial encoder', 'temporal encoder', 'prefill', 'answer'] as const;
export type PhaseName = (typeof PHASES)[number];

export interface PhaseObserver {
  enter(name: PhaseName): void;
  /** Also when the stage failed. */
  leave(name: PhaseName, ms: number): void;
}

let observer: PhaseObserver | undefined;

/** Makes `watcher` see the stages that begin until `work` has ended. One watches at a time. */
export async function watchPhases<T>(watcher: PhaseObserver, work: () => Promise<T>): Promise<T> {
  if (observer !== undefined) throw new Error('watchPhases: somebody else is watching');
  observer = watcher;
  try {
    return await work();
  } finally {
    observer = undefined;
  }
}

/** Runs a stage; one that returns a promise ends when that settles. */
export function phase<T>(name: PhaseName, work: () => T): T {
  const watcher = observer;
  if (watcher === undefined) return work();
  const started = performance.now();
  const leave = () => watcher.leave(name, performance.now() - started);
  watcher.enter(name);
  let result: T;
  try {
    result = work();
  } catch (error) {
    leave();
    throw error;
  }
  if (!(result instanceof Promise)) {
    leave();
    return result;
  }
  void result.then(leave, leave);
  return result;
}
