import { DataError } from '../../base/errors.js';
import { log } from '../../base/logger.js';
import type { RecordList } from '../../data/record-list.js';
import { BadVideoLedger, type LedgerState } from './ledger.js';
import { readQuarantine } from './list-file.js';
import type { BadVideoSettings } from './settings.js';

export interface BadVideoLedgers {
  readonly train: BadVideoLedger;
  readonly validation: BadVideoLedger;
}

interface Split {
  readonly records: RecordList;
}

/**
 * The ledgers of a run: what its checkpoint holds, and what the list that it is given names.
 *
 * @throws DataError E_QUARANTINE_ALL when the list leaves nothing to train on; E_JSONL_* for the list
 */
export async function openLedgers(
  settings: BadVideoSettings,
  train: Split,
  validation: Split | null,
  saved: { readonly train: LedgerState; readonly validation: LedgerState },
): Promise<BadVideoLedgers> {
  const { quarantine } = settings;
  const open = async (split: string, { records }: Split, state: LedgerState) => {
    const given = quarantine === undefined ? [] : await readQuarantine(quarantine, records);
    if (given.length > 0) log.info(`${given.length} of ${records.length} ${split} videos are left out: ${quarantine}`);
    if (records.length > 0 && given.length === records.length) {
      throw new DataError('E_QUARANTINE_ALL', `${quarantine}: lists every video of the ${split} records.`, {
        hint: 'Check that the list belongs to these records, or leave data.quarantine out.',
      });
    }
    return new BadVideoLedger(settings, records.length, state, given);
  };
  return {
    train: await open('training', train, saved.train),
    validation: await open('validation', validation ?? { records: [] }, saved.validation),
  };
}
