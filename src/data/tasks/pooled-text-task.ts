import type { Rng } from '../../base/rng.js';
import type { VideoRecord } from '../record.js';
import type { CorpusIndex } from './corpus-index.js';
import { OptionSet } from './options.js';
import { makeTerm } from './text.js';
import type { PooledText, TextPool } from './text-pool.js';
import type { Distractors } from './types.js';

/** Wrong options from a text field of other videos: of another group, alike in style, spelling no tag of this video. */
export function pooledDistractors(
  pool: TextPool,
  group: string | undefined,
  record: VideoRecord,
  right: string,
  index: CorpusIndex,
  rng: Rng,
): Distractors {
  const options = new OptionSet<PooledText>(makeTerm(right));
  const { known } = index.ownTagsOf(record);
  pool.fill(options, group ?? '', known, (text) => index.spellsOwnTag(record, text), rng);
  return { texts: options.texts };
}
