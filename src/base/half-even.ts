/**
 * Rounds to the nearest integer, ties to the even one (IEEE 754 roundTiesToEven).
 *
 * Python's `round` and NumPy's `rint` round this way; `Math.round` sends every tie up.
 */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const fraction = value - floor;
  if (fraction !== 0.5) return fraction < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
