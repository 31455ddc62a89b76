/** Mutations of bytes; every choice comes from the case's own random numbers. */

/** Numbers at which readers break: powers of two, their neighbours, and more digits than a double holds. */
export const NUMBERS = [
  ...[
    '0',
    '1',
    '2',
    '3',
    '4',
    '7',
    '8',
    '9',
    '12',
    '16',
    '64',
    '65',
    '127',
    '255',
    '256',
    '65535',
    '65536',
    '-1',
    '-0',
  ],
  ...[
    '2147483647',
    '2147483648',
    '4294967295',
    '4294967296',
    '9007199254740991',
    '9007199254740992',
    '9007199254740993',
  ],
  ...[
    '9223372036854775807',
    '18446744073709551615',
    '18446744073709551616',
    '99999999999999999999',
    '1e3',
    '1.0',
    '0x10',
  ],
  ...['NaN', 'Infinity', 'null', 'true', '""', '[]', '{}', '00', '01', '+1', '1.', '.5', '1E400'],
];

/**
 * One to four edits: a bit, a byte, an insertion, a deletion, a copy of a range onto another, a cut, a 16-, 32- or 64-bit number.
 *
 * @param palette bytes that mean something to the format
 * @param focus edits mostly happen below this position
 */
export function mutateBytes(rng, original, palette, focus = original.length) {
  let bytes = Buffer.from(original);
  for (let edits = 1 + rng.int(4); edits > 0 && bytes.length > 0; edits--) {
    const at = rng.int(rng.int(10) < 8 ? Math.min(bytes.length, Math.max(focus, 1)) : bytes.length);
    const kind = rng.int(9);
    if (kind === 0) bytes[at] ^= 1 << rng.int(8);
    else if (kind === 1) bytes[at] = rng.int(256);
    else if (kind === 2) bytes[at] = rng.pick(palette);
    else if (kind === 3) bytes = splice(bytes, at, 0, Buffer.of(rng.int(2) ? rng.pick(palette) : rng.int(256)));
    else if (kind === 4) bytes = splice(bytes, at, 1 + rng.int(8), Buffer.alloc(0));
    else if (kind === 5) bytes.copyWithin(at, rng.int(bytes.length), rng.int(bytes.length));
    else if (kind === 6) bytes = bytes.subarray(0, rng.int(2) ? bytes.length - rng.int(9) : at);
    else if (kind === 7) bytes = splice(bytes, at, 0, bytes.subarray(at, at + 1 + rng.int(24)));
    else writeNumber(rng, bytes, at);
  }
  return bytes;
}

function splice(bytes, at, removed, inserted) {
  return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + removed)]);
}

function writeNumber(rng, bytes, at) {
  const width = rng.pick([2, 4, 8]);
  if (at + width > bytes.length) return;
  const value = rng.pick([
    0n,
    1n,
    2n,
    BigInt(bytes.length),
    BigInt(rng.int(256)),
    2n ** 31n,
    2n ** 53n,
    2n ** BigInt(8 * width) - 1n,
  ]);
  const number = BigInt.asUintN(8 * width, value - BigInt(rng.int(2)));
  for (let i = 0; i < width; i++) bytes[at + i] = Number((number >> BigInt(8 * i)) & 255n);
}
