/**
 * `squash` of words whose letters are a unit each.
 *
 * @param out may be `units` where `start` is 0
 * @returns how many units `out` begins with
 */
export function squashUnits(units: Uint16Array, start: number, end: number, out: Uint16Array): number {
  let kept = 0;
  for (let i = start, next = start; i < end; i = next) {
    const unit = units[i] ?? 0;
    next = i + 1;
    while (next < end && units[next] === unit) next++;
    const repeats = next - i > 2 ? 1 : next - i;
    for (let j = 0; j < repeats; j++) out[kept++] = unit;
  }
  return kept;
}
