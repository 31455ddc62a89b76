/**
 * What the ranks tell each other before each phase: where they stand, and whether one has failed.
 *
 * Every phase of a run (start, data of a step, gradients of a step, validation, checkpoint) opens with one exchange of
 * words of a fixed size. A rank that is elsewhere is found out there, on all ranks at once, instead of two ranks
 * waiting for each other in different collectives; and a rank that failed says so there, with its reason.
 */
import { BackendError, MimicError } from '../base/errors.js';
import type { Communicator } from './communicator.js';

export const PHASES = ['start', 'data', 'gradients', 'validation', 'save'] as const;
export type Phase = (typeof PHASES)[number];

export interface Word {
  readonly phase: Phase;
  readonly step: number;
  /** Numbers of this rank, as many on every rank. */
  readonly payload?: readonly number[];
  /** What went wrong on this rank, if something did. */
  readonly error?: unknown;
}

/** Collectives entered, phase, step, length of the payload, whether an error follows. */
const HEADER = 5;
/** Of a word: longer payloads follow in a collective of their own. */
const WORD_LENGTH = 16;
const REASON_BYTES = 2048;

export class Agreement {
  constructor(readonly communicator: Communicator) {}

  /**
   * @returns the payloads of all ranks
   * @throws BackendError E_RANKS_DISAGREE on every rank; this rank's own error; E_RANK_FAILED with another's reason
   */
  exchange({ phase, step, payload = [], error }: Word): readonly (readonly number[])[] {
    const { size, collectives } = this.communicator;
    const inline = WORD_LENGTH - HEADER;
    const word = new Float64Array(WORD_LENGTH);
    word.set([collectives, PHASES.indexOf(phase), step, payload.length, error === undefined ? 0 : 1]);
    word.set(payload.slice(0, inline), HEADER);
    const words = this.allGather(word);
    // What failed matters more than where the others are by now.
    if (words.some(([, , , , failed]) => failed !== 0)) this.throwFailures(error, words);
    this.checkEqual(words);
    if (payload.length <= inline) return words.map((other) => other.slice(HEADER, HEADER + payload.length));
    if (size === 1) return [payload];
    return this.allGather(Float64Array.from(payload));
  }

  private allGather(part: Float64Array): number[][] {
    const whole = new Float64Array(part.length * this.communicator.size);
    this.communicator.allGather(part, whole);
    return Array.from({ length: this.communicator.size }, (_, rank) =>
      Array.from(whole.subarray(rank * part.length, (rank + 1) * part.length)),
    );
  }

  private checkEqual(words: readonly (readonly number[])[]): void {
    const [first = []] = words;
    if (words.every((word) => word.slice(0, HEADER).every((value, i) => value === first[i]))) return;
    const places = words.map(([collectives, phase = -1, step, length], rank) => {
      return `rank ${rank}: ${PHASES[phase] ?? 'unknown phase'} of step ${step}, ${collectives} collectives, ${length} values`;
    });
    throw new BackendError(
      'E_RANKS_DISAGREE',
      `The ranks are not at the same point of the run:\n  ${places.join('\n  ')}`,
      {
        hint: 'All ranks need the same program, configuration and data; nothing was changed in this step.',
        context: { places },
      },
    );
  }

  private throwFailures(own: unknown, words: readonly (readonly number[])[]): never {
    const reasons = Buffer.alloc(REASON_BYTES * words.length);
    const reason = Buffer.alloc(REASON_BYTES);
    if (own !== undefined) reason.write(describe(own));
    this.communicator.allGather(reason, reasons);
    if (own !== undefined) throw own;
    const failed = words.flatMap(([, , , , flag], rank) => (flag === 0 ? [] : [rank]));
    const text = (rank: number) =>
      reasons.toString('utf8', rank * REASON_BYTES, (rank + 1) * REASON_BYTES).replace(/\0+$/, '');
    const lines = failed.map((rank) => `rank ${rank}: ${text(rank)}`);
    throw new BackendError('E_RANK_FAILED', `Another rank failed, so this one ends too.\n  ${lines.join('\n  ')}`, {
      hint: 'Mend what it names, then go on with --resume.',
      context: { ranks: failed },
    });
  }
}

function describe(error: unknown): string {
  if (error instanceof MimicError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** Errors that every rank has thrown together: nobody is left waiting, so nobody has to be aborted. */
const COMMON = new WeakSet<object>();

/** Runs an exchange; what it throws is known to be common to all ranks. */
export function together<T>(exchange: () => T): T {
  try {
    return exchange();
  } catch (error) {
    if (error instanceof Error && !isBroken(error)) COMMON.add(error);
    throw error;
  }
}

export function isCommon(error: unknown): boolean {
  return error instanceof Error && COMMON.has(error);
}

/** The connection failed, or nobody knows what the others do next: then they have to be aborted. */
function isBroken(error: Error): boolean {
  return error instanceof MimicError && /^E_(COLLECTIVE|MPI|NCCL|RANK_DIED|RANKS_DISAGREE)/.test(error.code);
}
