/**
 * The frames whose timestamps are nearest to a regular grid: what "`fps` frames a second" means for a clip of any rate.
 *
 * The grid starts at the first frame, so a rate that divides the clip's own picks evenly spaced frames and never sits on
 * a tie. Timestamps decide, not frame numbers: a variable frame rate does not bend time. A frame is taken at most once,
 * so a clip slower than `fps` keeps all it has.
 *
 * @param timesSec non-decreasing presentation timestamps, [count], count >= 1
 * @returns increasing frame numbers; a tie goes to the earlier frame
 */
export function nearestFrames(timesSec: Float64Array, fps: number): Int32Array {
  const at = (index: number) => timesSec[index] ?? Number.NaN;
  const last = timesSec.length - 1;
  const picked: number[] = [];
  let frame = 0;
  for (let step = 0; at(0) + step / fps <= at(last); step++) {
    const target = at(0) + step / fps;
    while (frame < last && Math.abs(at(frame + 1) - target) < Math.abs(at(frame) - target)) frame++;
    if (picked.at(-1) !== frame) picked.push(frame);
  }
  return Int32Array.from(picked);
}
