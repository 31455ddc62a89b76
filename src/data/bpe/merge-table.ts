import { DataError } from '../../base/errors.js';

/** Distinct odd factors spread pairs of ids over the slots. */
const HASH_LEFT = 0x9e3779b1;
const HASH_RIGHT = 0x85ebca6b;
/** A merge's number and a position share one double in the queue. */
export const MAX_MERGES = 2 ** 21;

/** Which pairs of pieces merge, into what, and in which order: an open-addressed hash table of id pairs. */
export class MergeTable {
  private readonly mask: number;
  private readonly slotLeft: Int32Array;
  private readonly slotRight: Int32Array;
  private readonly slotMerge: Int32Array;
  /** Id of the piece that a merge makes. */
  readonly result: Int32Array;
  /** Lower merges first; equal ones from left to right. */
  readonly priority: Int32Array;

  private constructor(size: number) {
    let slots = 16;
    while (slots < 2 * size) slots *= 2;
    this.mask = slots - 1;
    this.slotLeft = new Int32Array(slots);
    this.slotRight = new Int32Array(slots);
    this.slotMerge = new Int32Array(slots).fill(-1);
    this.result = new Int32Array(size);
    this.priority = new Int32Array(size);
  }

  /**
   * @param merges "left right", first to merge first; one with a piece outside `ids` is left out
   * @param groups sizes of runs of merges of equal priority; absent: each its own
   * @throws DataError E_TOKENIZER_MERGES
   */
  static of(ids: ReadonlyMap<string, number>, merges: readonly string[], groups?: readonly number[]): MergeTable {
    if (merges.length > MAX_MERGES) throw wrong(`${merges.length} merges`, `at most ${MAX_MERGES}`);
    const total = groups?.reduce((sum, size) => sum + size, 0) ?? merges.length;
    if (total !== merges.length) throw wrong(`groups of ${total} merges in all`, `${merges.length}`);
    const table = new MergeTable(merges.length);
    let group = 0;
    let usedOfGroup = 0;
    for (const [merge, pair] of merges.entries()) {
      if (groups === undefined) group = merge;
      else if (usedOfGroup === groups[group]) {
        group++;
        usedOfGroup = 0;
      }
      usedOfGroup++;
      const space = pair.indexOf(' ', 1);
      const left = ids.get(pair.slice(0, space));
      const right = ids.get(pair.slice(space + 1));
      const result = ids.get(pair.slice(0, space) + pair.slice(space + 1));
      if (left === undefined || right === undefined || result === undefined) continue;
      table.result[merge] = result;
      table.priority[merge] = group;
      table.add(left, right, merge);
    }
    return table;
  }

  /** @returns the merge's number, or -1 */
  find(left: number, right: number): number {
    for (let slot = this.hash(left, right); ; slot = (slot + 1) & this.mask) {
      const merge = this.slotMerge[slot] ?? -1;
      if (merge === -1 || (this.slotLeft[slot] === left && this.slotRight[slot] === right)) return merge;
    }
  }

  /** The last of two equal lines counts, as where tables are read into a dictionary. */
  private add(left: number, right: number, merge: number): void {
    let slot = this.hash(left, right);
    while (this.slotMerge[slot] !== -1 && !(this.slotLeft[slot] === left && this.slotRight[slot] === right))
      slot = (slot + 1) & this.mask;
    this.slotLeft[slot] = left;
    this.slotRight[slot] = right;
    this.slotMerge[slot] = merge;
  }

  private hash(left: number, right: number): number {
    const mixed = Math.imul(left, HASH_LEFT) ^ Math.imul(right, HASH_RIGHT);
    return (mixed ^ (mixed >>> 15)) & this.mask;
  }
}

function wrong(got: string, expected: string): DataError {
  return new DataError('E_TOKENIZER_MERGES', `model.merges: got ${got}, expected ${expected}`);
}
