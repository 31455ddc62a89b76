import type { MergeTable } from './merge-table.js';

const NONE = -1;
/** Positions fit below it, priorities above: together at most 52 bits of a double. */
const POSITIONS = 2 ** 31;
const FIRST_CAPACITY = 256;
/** Longer texts give their memory back. */
const KEPT_CAPACITY = 2 ** 16;

/**
 * Byte-pair encoding of one stretch of text: the best pair merges first, the leftmost among equals, until none is left.
 *
 * A queue of (priority, position) over a linked list of symbols: n log n in the text's length, where a scan for the best
 * pair would be n^2. Entries of pairs that have changed since stay in the queue and are skipped.
 */
export class SymbolMerger {
  private capacity = 0;
  /** Id of the symbol that starts at a position; NONE where a character is no piece. */
  private id = new Int32Array(0);
  private next = new Int32Array(0);
  private previous = new Int32Array(0);
  /** Code unit at which the symbol starts. */
  private start = new Int32Array(0);
  /** Merge of the symbol with the one after it, or NONE. */
  private merge = new Int32Array(0);
  private heap: number[] = [];

  constructor(
    private readonly ids: ReadonlyMap<string, number>,
    private readonly table: MergeTable,
  ) {}

  /** @returns the pieces of `text`; a character that is no piece stays alone */
  split(text: string): string[] {
    const count = this.load(text);
    for (let at = 0; at + 1 < count; at++) this.enqueue(at, at + 1);
    for (let at = this.dequeue(); at !== NONE; at = this.dequeue()) this.join(at);
    const pieces: string[] = [];
    for (let at = 0; at < count; ) {
      const next = this.next[at] ?? count;
      pieces.push(text.slice(this.start[at], next < count ? this.start[next] : undefined));
      at = next;
    }
    if (this.capacity > KEPT_CAPACITY) this.resize(FIRST_CAPACITY);
    return pieces;
  }

  /** One symbol a character; @returns how many */
  private load(text: string): number {
    if (text.length > this.capacity) this.resize(Math.max(FIRST_CAPACITY, 2 ** Math.ceil(Math.log2(text.length))));
    let count = 0;
    for (let unit = 0; unit < text.length; count++) {
      const end = unit + ((text.codePointAt(unit) ?? 0) > 0xffff ? 2 : 1);
      this.id[count] = this.ids.get(text.slice(unit, end)) ?? NONE;
      this.start[count] = unit;
      this.next[count] = count + 1;
      this.previous[count] = count - 1;
      this.merge[count] = NONE;
      unit = end;
    }
    // Past the end: the list's last symbol merges with nothing.
    this.id[count] = NONE;
    return count;
  }

  private join(at: number): void {
    const right = this.next[at] ?? NONE;
    const after = this.next[right] ?? NONE;
    this.id[at] = this.table.result[this.merge[at] ?? NONE] ?? NONE;
    this.next[at] = after;
    this.previous[after] = at;
    this.merge[at] = NONE;
    this.merge[right] = NONE;
    this.enqueue(at, after);
    const before = this.previous[at] ?? NONE;
    if (before !== NONE) this.enqueue(before, at);
  }

  private enqueue(at: number, right: number): void {
    const left = this.id[at] ?? NONE;
    const other = this.id[right] ?? NONE;
    const merge = left === NONE || other === NONE ? NONE : this.table.find(left, other);
    this.merge[at] = merge;
    if (merge !== NONE) this.push((this.table.priority[merge] ?? 0) * POSITIONS + at);
  }

  /** @returns where the best pair that still stands starts, or NONE */
  private dequeue(): number {
    while (this.heap.length > 0) {
      const key = this.pop();
      const at = key % POSITIONS;
      const merge = this.merge[at] ?? NONE;
      if (merge !== NONE && this.table.priority[merge] === Math.floor(key / POSITIONS)) return at;
    }
    return NONE;
  }

  private push(key: number): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(key);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] ?? 0;
      if (above <= key) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = key;
  }

  private pop(): number {
    const { heap } = this;
    const best = heap[0] ?? 0;
    const last = heap.pop() ?? 0;
    const size = heap.length;
    if (size === 0) return best;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && (heap[child + 1] ?? 0) < (heap[child] ?? 0)) child++;
      const below = heap[child] ?? 0;
      if (below >= last) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
    return best;
  }

  private resize(capacity: number): void {
    this.capacity = capacity;
    // One more than there are symbols: the end of the list has a place.
    const make = () => new Int32Array(capacity + 1);
    this.id = make();
    this.next = make();
    this.previous = make();
    this.start = make();
    this.merge = make();
    this.heap = [];
  }
}
