/** Starts tune.ts of this folder under mpirun, and reads what its ranks saw. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunConfig } from '../../../src/train/config.js';
import type { TuneStep } from '../../../src/train/tune.js';
import { type RanksResult, runRanks } from '../../support/mpi/run-ranks.js';
import type { RankOrder, RankReport } from './tune.js';

export interface TrainedRanks extends RanksResult {
  readonly reportOf: (rank: number) => RankReport;
  readonly stepsOf: (rank: number) => readonly TuneStep[];
  /** From the fault of the order to the end of mpirun. */
  readonly secondsAfterFault: () => number;
}

/** @param setUp folder for the reports, the compiled program and what each run shares */
export function trainerOf(setUp: { readonly dir: string; readonly program: string; readonly config: RunConfig }) {
  return async (ranks: number, name: string, order: Partial<RankOrder> = {}): Promise<TrainedRanks> => {
    const { dir, program } = setUp;
    const config = { ...setUp.config, ...order.config, name };
    const report = join(dir, `${name}-${ranks}`);
    const whole: RankOrder = { report, backend: 'native', ...order, config };
    const result = await runRanks(ranks, program, [JSON.stringify(whole)], { MIMIC_COLLECTIVE_TIMEOUT_SEC: '60' });
    const reportOf = (rank: number) => JSON.parse(readFileSync(`${report}-${rank}.json`, 'utf8')) as RankReport;
    const secondsAfterFault = () => (result.endedMs - Number(readFileSync(`${report}-fault`, 'utf8'))) / 1000;
    return { ...result, reportOf, stepsOf: (rank) => reportOf(rank).steps, secondsAfterFault };
  };
}
