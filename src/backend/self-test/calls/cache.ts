/** Caches of keys and values that grow in place: exact. */
import { given, givenStored, type KernelCall, normals, resultStored } from '../kernel-call.js';
import { at, fill } from './math.js';
import type { Shapes } from './shapes.js';

const BATCH = 2;

/** Three tokens at a position that lies on the device or in the launch, the last of them behind the capacity. */
function append(width: number, onDevice: boolean): KernelCall {
  const [time, capacity, position] = [3, 8, 6];
  return {
    kernel: 'kv_append',
    shape: `${time} of ${width} at ${position}${onDevice ? ' on the device' : ''}`,
    args: [
      ...[givenStored(normals(BATCH * time * width)), resultStored(BATCH * capacity * width)],
      ...[onDevice ? given(Int32Array.of(position)) : 0, BATCH * time, time, capacity, width],
      onDevice ? 0 : position,
    ],
    expected: (x, before) => [
      fill(BATCH * capacity * width, (i) => {
        const [b, token, j] = [Math.floor(i / (capacity * width)), Math.floor(i / width) % capacity, i % width];
        const from = token - position;
        return from >= 0 && from < time ? at(x, (b * time + from) * width + j) : at(before, i);
      }),
    ],
    tolerance: 0,
  };
}

function grow(width: number): KernelCall {
  const [length, from, to] = [5, 6, 9];
  return {
    kernel: 'kv_grow',
    shape: `${length} of ${width}, ${from} to ${to}`,
    args: [
      ...[givenStored(normals(BATCH * from * width)), resultStored(BATCH * to * width)],
      ...[BATCH * to, length, from, to, width],
    ],
    expected: (x) => [
      fill(BATCH * to * width, (i) => {
        const [b, token, j] = [Math.floor(i / (to * width)), Math.floor(i / width) % to, i % width];
        return token < length ? at(x, (b * from + token) * width + j) : 0;
      }),
    ],
    tolerance: 0,
  };
}

export function cacheCalls({ rows }: Shapes): KernelCall[] {
  return rows.flatMap(([, cols]) => [append(cols, true), append(cols, false), grow(cols)]);
}
