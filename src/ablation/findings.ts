/** What the runs show: a sentence only where its interval supports it, and what was asked without an answer. */
import type { Estimate, Estimates } from './estimate.js';
import { PAPER_TABLE3 } from './paper-table3.js';
import { VARIANT_INFO, VARIANT_PAIRS, type VariantPair } from './variants.js';

/** Four options. */
export const CHANCE = 0.25;
/** An interval that holds chance but reaches further from it than this says nothing. */
const CHANCE_REACH = 0.1;
/** A difference whose whole interval is within this is "no difference beyond 5 points". */
const SAME_WITHIN = 0.05;
/** Fewer runs than this give no finding. */
export const MIN_RUNS = 3;

export type Verdict = 'at chance' | 'lower' | 'higher' | 'same' | 'open';

export interface Finding {
  readonly reference: string;
  readonly variant: string;
  /** Column: `axis:temporal`, or `macro` where questions have no axis. */
  readonly column: string;
  readonly verdict: Verdict;
  readonly text: string;
}

export interface PairFindings {
  readonly title: string;
  readonly note?: string;
  /** Supported by their intervals. */
  readonly findings: readonly Finding[];
  /** Asked, but the interval supports no sentence. */
  readonly open: readonly Finding[];
  /** What the paper's table has for this pair. */
  readonly paper?: string;
}

export function findingsOf(estimates: Estimates): PairFindings[] {
  const axes = estimates.columns.filter((column) => column.startsWith('axis:'));
  const columns = axes.length > 0 ? axes : ['macro'];
  return VARIANT_PAIRS.flatMap((pair) => {
    const all = columns.flatMap((column) => findingOf(estimates, pair, column) ?? []);
    if (all.length === 0) return [];
    const paper = paperLine(pair);
    return [
      {
        title: `${VARIANT_INFO[pair.variant].label}, against ${VARIANT_INFO[pair.reference].label}`,
        ...(pair.note === undefined ? {} : { note: pair.note }),
        findings: all.filter(({ verdict }) => verdict !== 'open'),
        open: all.filter(({ verdict }) => verdict === 'open'),
        ...(paper === undefined ? {} : { paper }),
      },
    ];
  });
}

function findingOf(estimates: Estimates, pair: VariantPair, column: string): Finding | undefined {
  const { reference, variant, subject } = pair;
  const own = estimates.of(variant, column);
  const other = estimates.of(reference, column);
  const difference = estimates.difference(reference, variant, column);
  if (own === undefined || other === undefined || difference === undefined) return undefined;
  const verdict = verdictOf(own, difference);
  const what = column === 'macro' ? 'the mean of the tasks' : `${column.slice('axis:'.length)} questions`;
  const shares = `${percent(own.mean)} %, ${VARIANT_INFO[reference].label} ${percent(other.mean)} %`;
  const gap = `${VARIANT_INFO[reference].label} minus variant ${signed(difference.mean)} points (${signed(difference.low)} to ${signed(difference.high)})`;
  const chance = `${percent(own.mean)} % (${percent(own.low)} to ${percent(own.high)})`;
  const texts: Record<Verdict, string> = {
    'at chance': `${subject}, ${what} cannot be told from chance, 25 %: ${chance}; ${VARIANT_INFO[reference].label} ${percent(other.mean)} %, ${gap}.`,
    lower: `${subject}, ${what} ${column === 'macro' ? 'falls' : 'fall'}: ${shares}, ${gap}.`,
    higher: `${subject}, ${what} ${column === 'macro' ? 'rises' : 'rise'}: ${shares}, ${gap}.`,
    same: `${subject}, ${what} ${column === 'macro' ? 'holds' : 'hold'}, no difference beyond ${100 * SAME_WITHIN} points: ${shares}, ${gap}.`,
    open: `${subject}, ${what}: ${shares}, ${gap}; ${difference.values.length < MIN_RUNS ? `fewer than ${MIN_RUNS} runs` : 'the interval supports no statement'}.`,
  };
  return { reference, variant, column, verdict, text: texts[verdict] };
}

/** @param difference reference less variant */
export function verdictOf(own: Estimate, difference: Estimate): Verdict {
  if (Math.min(own.values.length, difference.values.length) < MIN_RUNS) return 'open';
  const holdsChance = own.low <= CHANCE && CHANCE <= own.high;
  const isNarrow = own.low >= CHANCE - CHANCE_REACH && own.high <= CHANCE + CHANCE_REACH;
  // Chance is a fall only where the reference is above it.
  if (holdsChance && isNarrow && difference.low > 0) return 'at chance';
  if (difference.low > -SAME_WITHIN && difference.high < SAME_WITHIN) return 'same';
  if (difference.low > 0) return 'lower';
  return difference.high < 0 ? 'higher' : 'open';
}

function paperLine({ reference, variant }: VariantPair): string | undefined {
  const [own, other] = [PAPER_TABLE3[variant], PAPER_TABLE3[reference]];
  if (own === undefined || other === undefined) return undefined;
  return `The paper, Table 3: Overall ${own.overall} against ${other.overall} (its real videos, one run, no interval).`;
}

const percent = (share: number): string => (100 * share).toFixed(1);
const signed = (share: number): string => `${share > 0 ? '+' : ''}${percent(share)}`;
