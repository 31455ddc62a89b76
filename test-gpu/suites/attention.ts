/** Attention, forward and backward: many shapes beside float64, long ones beside the host device. */
import {
  attentionCase,
  manyAttention,
  runAttention,
  smallAttention,
} from '../../src/backend/self-test/attention-cases.js';
import { attentionVerdict, compareAttention } from '../../src/backend/self-test/self-test.js';
import type { SuiteContext, SuitePart } from '../suite.js';

function longCases() {
  const storages = ['f32', 'bf16'] as const;
  const lengths = [
    [1024, 1024],
    [300, 2500],
  ] as const;
  return storages.flatMap((storage) =>
    lengths.flatMap(([queries, keys]) =>
      [64, 128].flatMap((headDim) =>
        [false, true].map((causal) =>
          attentionCase({ storage, batch: 1, queries, keys, heads: 4, groups: 2, headDim, causal }),
        ),
      ),
    ),
  );
}

export function* attention({ gpu, host, quick }: SuiteContext): Iterable<SuitePart> {
  const cases = quick ? smallAttention() : manyAttention();
  for (const storage of ['f32', 'bf16'] as const) {
    const own = cases.filter((one) => one.storage === storage);
    yield { name: `attention, ${storage}`, comparisons: own.map((one) => () => compareAttention(gpu, one)) };
  }
  if (quick) return;
  const name = 'attention, long';
  if (host === undefined) {
    yield { name, comparisons: [], leftOut: 'there is no C++ compiler for the host device' };
    return;
  }
  const comparisons = longCases().map((one) => () => {
    return attentionVerdict(one, runAttention(gpu, one), runAttention(host, one));
  });
  yield { name, comparisons };
}
