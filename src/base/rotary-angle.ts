/**
 * Angles of rotary position embedding as the published models were trained with them: frequency and angle are rounded to
 * float32, as in PyTorch. Exact ones would differ by 3e-4 radians at position 8191 and by 1e-3 at 32767.
 *
 * @source transformers modeling_rope_utils.py; measured by tools/parity/rope_facts.py
 */

/** Frequency of channel pair `j` of `half`: theta^(-j / half), radians a position. */
export function rotaryFrequency(theta: number, j: number, half: number): number {
  return Math.fround(1 / Math.fround(theta ** (j / half)));
}

/** Radians by which a pair turns at `position`. */
export function rotaryAngle(position: number, frequency: number): number {
  return Math.fround(position * frequency);
}
