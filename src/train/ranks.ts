/** How a run's work is dealt to the ranks, and the exchanges that keep them together. */
import { BackendError, ConfigError } from '../base/errors.js';
import { log } from '../base/logger.js';
import { Agreement, type Phase, together } from '../distributed/agreement.js';
import type { Communicator } from '../distributed/communicator.js';
import { SingleProcess } from '../distributed/single-process.js';

/** Sums of what each rank says in its place of a list: exact where each place is one rank's. */
export function sumByPlace(lists: readonly (readonly number[])[]): number[] {
  const [first = []] = lists;
  return first.map((_, place) => lists.reduce((sum, list) => sum + (list[place] ?? 0), 0));
}

export class Ranks {
  private readonly agreement: Agreement;

  constructor(readonly communicator: Communicator = new SingleProcess()) {
    this.agreement = new Agreement(communicator);
  }

  get size(): number {
    return this.communicator.size;
  }

  /** Whether this one prints and writes files. */
  get isMain(): boolean {
    return this.communicator.rank === 0;
  }

  /**
   * Which of a step's `count` pieces of work are this rank's. All ranks' together are all, whatever their number is; who
   * has one more changes from step to step.
   */
  deal(count: number, step: number): number[] {
    const { rank, size } = this.communicator;
    return Array.from({ length: count }, (_, index) => index).filter((index) => (index + step) % size === rank);
  }

  /**
   * Exchanges numbers at the beginning of a phase.
   *
   * @param error what failed on this rank before it
   * @throws the same on all ranks: see Agreement
   */
  exchange(phase: Phase, step: number, payload: readonly number[], error?: unknown): readonly (readonly number[])[] {
    return together(() => this.agreement.exchange({ phase, step, payload, error }));
  }

  /** The same, for numbers that have to be the same on all ranks. @throws BackendError E_RANKS_DIFFER on all of them */
  exchangeEqual(phase: Phase, step: number, facts: Readonly<Record<string, number>>): void {
    const names = Object.keys(facts);
    const told = this.exchange(phase, step, Object.values(facts));
    const different = names.filter((_, i) => told.some((values) => values[i] !== told[0]?.[i]));
    if (different.length === 0) return;
    const error = new BackendError('E_RANKS_DIFFER', `The ranks do not hold the same ${different.join(', ')}.`, {
      hint: 'Every rank needs the same program version, configuration, data and folder of checkpoints (a shared disk).',
      context: { different },
    });
    this.throwTogether(error);
  }

  /** Throws what every rank throws at this point. */
  throwTogether(error: Error): never {
    return together(() => {
      throw error;
    });
  }

  /** Work that may fail on one rank alone, followed by an exchange: then it has worked on all of them, or none goes on. */
  async phase<T>(phase: Phase, step: number, work: () => Promise<T>, tell: (done: T) => number[] = () => []) {
    let done: T;
    try {
      done = await work();
    } catch (error) {
      this.exchange(phase, step, [], error);
      throw error;
    }
    return { done, told: this.exchange(phase, step, tell(done)) };
  }

  /** @throws ConfigError when a rank would never have anything to do */
  checkWork({ batchSize, accumulate }: { readonly batchSize: number; readonly accumulate: number }): void {
    if (this.size > accumulate) {
      throw new ConfigError(
        'E_TOO_MANY_RANKS',
        `${this.size} ranks share the ${accumulate} micro-batches of an optimizer step: some would have nothing to do.`,
        {
          hint: `Set train.accumulate to ${this.size} or a multiple; lower train.batchSize (${batchSize}) to keep their product, the videos of a step.`,
        },
      );
    }
    if (accumulate % this.size !== 0 && this.isMain) {
      log.warn(
        `${accumulate} micro-batches a step over ${this.size} ranks: some wait for others; a multiple is faster`,
      );
    }
  }
}
