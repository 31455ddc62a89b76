/**
 * Which samples share a row: first fit, the longest first.
 *
 * Each sample goes into the first row that has room; the rows it needs are at most 11/9 of the fewest possible plus one
 * (Johnson 1973). Equal lengths keep their order, so the result depends on the lengths alone.
 *
 * @param lengths tokens of each sample; one longer than a row gets a row of its own
 * @returns rows of sample indices: rows by their first sample, samples within a row in order
 */
export function packFirstFit(lengths: readonly number[], maxLength: number): number[][] {
  const longestFirst = [...lengths.keys()].sort((a, b) => (lengths[b] ?? 0) - (lengths[a] ?? 0) || a - b);
  const rows: { samples: number[]; room: number }[] = [];
  for (const sample of longestFirst) {
    const length = lengths[sample] ?? 0;
    const fitting = rows.find(({ room }) => room >= length);
    if (fitting === undefined) rows.push({ samples: [sample], room: maxLength - length });
    else {
      fitting.samples.push(sample);
      fitting.room -= length;
    }
  }
  return rows.map(({ samples }) => samples.sort((a, b) => a - b)).sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
}
