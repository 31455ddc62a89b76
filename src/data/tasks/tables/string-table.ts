/** Numbers for distinct strings, in the order of their first appearance, kept as arrays of numbers that a file can hold. */

/** What a table is made of. */
export interface StringTableData {
  /** UTF-16 units of all strings, one after the other. */
  readonly units: Uint16Array;
  /** Where each begins in `units`, and the end of the last. */
  readonly starts: Uint32Array;
  /** Open addressing: 1 + number of a string, 0 for a free slot; a power of two of them. */
  readonly slots: Uint32Array;
}

const FIRST_SLOTS = 1 << 10;
const FIRST_UNITS = 1 << 12;

/** The hash of no units, to be continued by those of a string. */
export const EMPTY_HASH = 0x811c9dc5;

/** FNV-1a of a string goes on by more units. */
export function hashMore(hash: number, units: Uint16Array, start: number, end: number): number {
  let mixed = hash;
  for (let i = start; i < end; i++) mixed = Math.imul(mixed ^ (units[i] ?? 0), 0x01000193);
  return mixed;
}

/** The lowest bits choose the slot, and FNV's depend on the lowest bits of its input alone. */
function slotHash(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

export class StringTable {
  private units: Uint16Array;
  private starts: Uint32Array;
  private slots: Uint32Array;
  private count: number;
  private scratch = new Uint16Array(256);

  constructor(data?: StringTableData) {
    this.units = data?.units ?? new Uint16Array(FIRST_UNITS);
    this.starts = data?.starts ?? new Uint32Array(FIRST_SLOTS);
    this.slots = data?.slots ?? new Uint32Array(FIRST_SLOTS);
    this.count = data === undefined ? 0 : data.starts.length - 1;
  }

  get size(): number {
    return this.count;
  }

  /** The string of a number. */
  text(id: number): string {
    const [start = 0, end = 0] = [this.starts[id], this.starts[id + 1]];
    let text = '';
    for (let i = start; i < end; i++) text += String.fromCharCode(this.units[i] ?? 0);
    return text;
  }

  /** The number of a string; -1 for one that the table has not. */
  find(text: string): number {
    const { length } = text;
    if (length > this.scratch.length) this.scratch = new Uint16Array(2 * length);
    for (let i = 0; i < length; i++) this.scratch[i] = text.charCodeAt(i);
    return this.findUnits(this.scratch, 0, length);
  }

  /** @param hash of these units, by `hashMore` */
  findUnits(units: Uint16Array, start: number, end: number, hash = hashMore(EMPTY_HASH, units, start, end)): number {
    return (this.slots[this.slotOf(hash, units, start, end)] ?? 0) - 1;
  }

  /** Copies the units of a string to `units` at `at`. @returns where they end; -1 where there is no room */
  copy(id: number, units: Uint16Array, at: number): number {
    const [start = 0, end = 0] = [this.starts[id], this.starts[id + 1]];
    if (at + end - start > units.length) return -1;
    for (let i = start, j = at; i < end; i++, j++) units[j] = this.units[i] ?? 0;
    return at + end - start;
  }

  /** The number of a string, which is given one if it has none. */
  intern(text: string): number {
    const { length } = text;
    if (length > this.scratch.length) this.scratch = new Uint16Array(2 * length);
    for (let i = 0; i < length; i++) this.scratch[i] = text.charCodeAt(i);
    return this.internUnits(this.scratch, 0, length);
  }

  internUnits(units: Uint16Array, start: number, end: number): number {
    const slot = this.slotOf(hashMore(EMPTY_HASH, units, start, end), units, start, end);
    const known = this.slots[slot] ?? 0;
    if (known > 0) return known - 1;
    const id = this.count++;
    const from = this.starts[id] ?? 0;
    const to = from + end - start;
    if (to > this.units.length) this.units = grown(this.units, Math.max(to, 2 * this.units.length));
    this.units.set(units.subarray(start, end), from);
    if (id + 2 > this.starts.length) this.starts = grown(this.starts, 2 * this.starts.length);
    this.starts[id + 1] = to;
    this.slots[slot] = id + 1;
    if (2 * this.count > this.slots.length) this.rehash(2 * this.slots.length);
    return id;
  }

  data(): StringTableData {
    const { count, slots } = this;
    return { units: this.units.slice(0, this.starts[count]), starts: this.starts.slice(0, count + 1), slots };
  }

  /** Where the string is, or the free slot where it would go. */
  private slotOf(hash: number, units: Uint16Array, start: number, end: number): number {
    const mask = this.slots.length - 1;
    for (let slot = slotHash(hash) & mask; ; slot = (slot + 1) & mask) {
      const known = this.slots[slot] ?? 0;
      if (known === 0 || this.equals(known - 1, units, start, end)) return slot;
    }
  }

  private equals(id: number, units: Uint16Array, start: number, end: number): boolean {
    const from = this.starts[id] ?? 0;
    if ((this.starts[id + 1] ?? 0) - from !== end - start) return false;
    for (let i = start, j = from; i < end; i++, j++) if (units[i] !== this.units[j]) return false;
    return true;
  }

  private rehash(size: number): void {
    this.slots = new Uint32Array(size);
    const mask = size - 1;
    for (let id = 0; id < this.count; id++) {
      let slot = slotHash(hashMore(EMPTY_HASH, this.units, this.starts[id] ?? 0, this.starts[id + 1] ?? 0)) & mask;
      while ((this.slots[slot] ?? 0) > 0) slot = (slot + 1) & mask;
      this.slots[slot] = id + 1;
    }
  }
}

function grown<T extends Uint16Array | Uint32Array>(array: T, length: number): T {
  const larger = new (array.constructor as new (length: number) => T)(length);
  larger.set(array);
  return larger;
}
