import { z } from 'zod';
import { DataError } from '../../base/errors.js';
import { BadVideo, DECODED, NOT_TRIED, type Outcome, REASON_CODES } from './bad-video.js';
import type { BadVideoSettings } from './settings.js';
import { describeBadVideos } from './summary.js';

export const LedgerState = z.strictObject({
  /** Each record once, in the order found. */
  list: z.array(BadVideo).readonly(),
  /** Failed samples since the last that did not. */
  inARow: z.int().nonnegative(),
});
export type LedgerState = z.output<typeof LedgerState>;

export const EMPTY_LEDGER: LedgerState = { list: [], inARow: 0 };

export interface Settled {
  /** Bad videos that were not known before. */
  readonly found: readonly BadVideo[];
  /** Why the run must end; the ledger holds the videos all the same. */
  readonly failure?: DataError;
}

/**
 * Which videos a run leaves out.
 *
 * The plan of batches never changes: a sample with a bad video leaves a hole, so the position of a run stays a function
 * of (seed, step), and a run that was given the list computes what a run that finds the same videos does. Failures count
 * in the order of the plan when their step is settled, not when a worker meets them, so the number of workers and ranks
 * changes nothing, and a checkpoint holds what the steps before it found.
 */
export class BadVideoLedger {
  private readonly byId: Map<string, BadVideo>;
  private inARow: number;

  /** @param total videos of the split, which `badVideoMaxShare` is of */
  constructor(
    private readonly settings: BadVideoSettings,
    private readonly total: number,
    saved: LedgerState = EMPTY_LEDGER,
    given: readonly BadVideo[] = [],
  ) {
    this.byId = new Map([...given, ...saved.list].map((video) => [video.id, video]));
    this.inARow = saved.inARow;
  }

  /** Whether the record is left out without a try. */
  isOut(id: string): boolean {
    const known = this.byId.get(id);
    return known !== undefined && (known.step === null || this.settings.badVideo === 'quarantine');
  }

  get policy(): BadVideoSettings['badVideo'] {
    return this.settings.badVideo;
  }

  get list(): readonly BadVideo[] {
    return [...this.byId.values()];
  }

  state(): LedgerState {
    return { list: this.list, inARow: this.inARow };
  }

  /**
   * Enters what became of a step's samples.
   *
   * @param samples all of the step, in the order of the plan
   * @param outcomes one a sample
   */
  settle(step: number, samples: readonly Pick<BadVideo, 'id' | 'path'>[], outcomes: readonly Outcome[]): Settled {
    const found: BadVideo[] = [];
    let longest = this.inARow;
    for (const [i, { id, path }] of samples.entries()) {
      const outcome = outcomes[i] ?? NOT_TRIED;
      if (outcome === NOT_TRIED) continue;
      this.inARow = outcome === DECODED ? 0 : this.inARow + 1;
      longest = Math.max(longest, this.inARow);
      if (outcome === DECODED || this.byId.has(id)) continue;
      const video = { id, path, code: REASON_CODES[outcome - 1] ?? 'E_VIDEO_DAMAGED', step };
      this.byId.set(id, video);
      found.push(video);
    }
    const failure = this.tooMany(longest);
    return failure === undefined ? { found } : { found, failure };
  }

  private tooMany(longest: number): DataError | undefined {
    const { badVideoMaxShare, badVideoMaxInARow } = this.settings;
    const found = this.list.filter(({ step }) => step !== null);
    const isRow = longest > badVideoMaxInARow;
    if (!isRow && found.length <= badVideoMaxShare * this.total) return undefined;
    const problem = isRow
      ? `the videos of ${longest} samples in a row cannot be used, more than data.badVideoMaxInARow = ${badVideoMaxInARow}`
      : `${found.length} of ${this.total} videos cannot be used, more than data.badVideoMaxShare = ${badVideoMaxShare}`;
    return new DataError('E_BAD_VIDEOS', `${problem}:\n${describeBadVideos(found, 'end')}`, {
      hint: isRow
        ? 'Check that the disk is mounted and data.root is right, then go on with --resume.'
        : 'Mend the files, or list them with `mimic data scan` and name the list as data.quarantine; then go on with --resume.',
      context: { videos: found },
    });
  }
}
