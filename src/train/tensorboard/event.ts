/**
 * The few protocol-buffer messages of a TensorBoard event file, encoded by hand: a field is its number and wire type,
 * then a varint (0), 8 bytes (1), a length and bytes (2) or 4 bytes (5).
 *
 * @source tensorboard/compat/proto/event.proto and summary.proto
 */
export type Event =
  | { readonly kind: 'file-version' }
  /** Readers drop what they have at this step and later: a resumed run repeats it. */
  | { readonly kind: 'session-start'; readonly step: number }
  | { readonly kind: 'scalar'; readonly step: number; readonly tag: string; readonly value: number };

const SESSION_START = 1;

export function encodeEvent(event: Event, wallTimeSec: number): Buffer {
  const wallTime = Buffer.alloc(9);
  wallTime[0] = key(1, 1);
  wallTime.writeDoubleLE(wallTimeSec, 1);
  if (event.kind === 'file-version') return Buffer.concat([wallTime, bytesField(3, Buffer.from('brain.Event:2'))]);
  const step = varintField(2, event.step);
  const body =
    event.kind === 'scalar'
      ? bytesField(5, bytesField(1, scalarValue(event.tag, event.value)))
      : bytesField(7, varintField(1, SESSION_START));
  return Buffer.concat([wallTime, step, body]);
}

function scalarValue(tag: string, value: number): Buffer {
  const simpleValue = Buffer.alloc(5);
  simpleValue[0] = key(2, 5);
  simpleValue.writeFloatLE(value, 1);
  return Buffer.concat([bytesField(1, Buffer.from(tag)), simpleValue]);
}

function key(field: number, wireType: number): number {
  return field * 8 + wireType;
}

function varintField(field: number, value: number): Buffer {
  return Buffer.from([key(field, 0), ...varint(value)]);
}

function bytesField(field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([key(field, 2), ...varint(bytes.length)]), bytes]);
}

/** Seven bits a byte, lowest first; by division, as shifts stop at 32 bits. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}
