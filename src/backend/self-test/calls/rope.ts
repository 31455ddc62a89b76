/** Rotary position embedding, both directions. */
import { given, givenStored, integers, type KernelCall, normals, resultStored } from '../kernel-call.js';
import { at, fill } from './math.js';
import type { Shapes } from './shapes.js';

const POSITIONS = 90;

function callOf(tokens: number, heads: number, half: number, direction: number): KernelCall {
  const angles = Array.from(
    { length: POSITIONS * half },
    (_, i) => Math.floor(i / half) * 10_000 ** -((i % half) / half),
  );
  const size = tokens * heads * 2 * half;
  return {
    kernel: 'rope',
    shape: `${tokens} tokens, ${heads} x ${2 * half}${direction < 0 ? ', back' : ''}`,
    args: [
      givenStored(normals(size)),
      given(integers(tokens, 0, POSITIONS)),
      given(Float32Array.from(angles, Math.cos)),
      given(Float32Array.from(angles, Math.sin)),
      resultStored(size),
      ...[tokens, heads, half, direction],
    ],
    expected: (x, positions, cosines, sines) => [
      fill(size, (i) => {
        const j = i % (2 * half);
        const at0 = at(positions, Math.floor(i / (heads * 2 * half))) * half + (j % half);
        const sine = at(sines, at0) * direction;
        return at(x, i) * at(cosines, at0) + (j < half ? -at(x, i + half) * sine : at(x, i - half) * sine);
      }),
    ],
  };
}

/** The fused projection [tokens, groups, perGroup + 2, 2 half], parted and rotated, and the way back. */
function splitCalls(tokens: number, groups: number, perGroup: number, half: number): KernelCall[] {
  const d = 2 * half;
  const heads = perGroup + 2;
  const [size, queries, keys] = [tokens * groups * heads * d, tokens * groups * perGroup * d, tokens * groups * d];
  const angles = Array.from(
    { length: POSITIONS * half },
    (_, i) => Math.floor(i / half) * 10_000 ** -((i % half) / half),
  );
  const tables = [
    given(integers(tokens, 0, POSITIONS)),
    given(Float32Array.from(angles, Math.cos)),
    given(Float32Array.from(angles, Math.sin)),
  ];
  const shape = `${tokens} tokens, ${groups} x ${perGroup} heads of ${d}`;
  const counts = [tokens * groups, groups, perGroup, half];
  type Table = ArrayLike<number>;
  const turned = (
    x: Table,
    from: number,
    j: number,
    row: number,
    [cosines, sines]: readonly [Table, Table],
    way: number,
  ) => {
    const pair = at(x, from + ((j + half) % d));
    const [cosine, sine] = [at(cosines, row + (j % half)), way * at(sines, row + (j % half))];
    return at(x, from + j) * cosine + (j < half ? -pair : pair) * sine;
  };
  return [
    {
      kernel: 'split_rope',
      shape,
      args: [
        ...[givenStored(normals(size)), ...tables, resultStored(queries), resultStored(keys), resultStored(keys)],
        ...counts,
      ],
      expected: (x, positions, cosines, sines) => {
        const value = (group: number, head: number, j: number) => {
          const from = (group * heads + head) * d;
          const row = at(positions, Math.floor(group / groups)) * half;
          return head > perGroup ? at(x, from + j) : turned(x, from, j, row, [cosines, sines], 1);
        };
        const each = (length: number, ofGroup: number, first: number) =>
          fill(length, (i) => {
            const head = Math.floor(i / d);
            return value(Math.floor(head / ofGroup), first + (head % ofGroup), i % d);
          });
        return [each(queries, perGroup, 0), each(keys, 1, perGroup), each(keys, 1, perGroup + 1)];
      },
    },
    {
      kernel: 'split_rope_grad',
      shape,
      args: [
        ...[givenStored(normals(queries)), givenStored(normals(keys)), givenStored(normals(keys)), ...tables],
        ...[resultStored(size), ...counts],
      ],
      expected: (dq, dk, dv, positions, cosines, sines) => [
        fill(size, (i) => {
          const [group, head, j] = [Math.floor(i / (heads * d)), Math.floor(i / d) % heads, i % d];
          if (head > perGroup) return at(dv, group * d + j);
          const row = at(positions, Math.floor(group / groups)) * half;
          const [from, source] = head === perGroup ? [group * d, dk] : [(group * perGroup + head) * d, dq];
          return turned(source, from, j, row, [cosines, sines], -1);
        }),
      ],
    },
  ];
}

export function ropeCalls({ rows }: Shapes): KernelCall[] {
  const tokens = [...new Set(rows.map(([r]) => Math.min(r, 3000)))];
  return tokens.flatMap((count) => [
    callOf(count, 3, 12, 1),
    callOf(count, 2, 32, -1),
    ...splitCalls(Math.min(count, 500), 2, 3, 12),
    ...(count > 3 ? [callOf(count, 8, 64, 1)] : []),
  ]);
}
