/** Where each of some distinct numbers stands in a list. */
export class NumberTable {
  /** Open addressing: 1 + place of a number, 0 for a free slot. */
  private readonly slots: Int32Array;

  constructor(private readonly numbers: Int32Array) {
    let size = 4;
    while (2 * size < 3 * numbers.length) size *= 2;
    this.slots = new Int32Array(size);
    for (let place = 0; place < numbers.length; place++) this.slots[this.slotOf(numbers[place] ?? 0)] = place + 1;
  }

  /** -1 for a number that is not in the list. */
  find(number: number): number {
    return (this.slots[this.slotOf(number)] ?? 0) - 1;
  }

  private slotOf(number: number): number {
    const mask = this.slots.length - 1;
    const hash = Math.imul(number, 0x9e3779b1);
    for (let slot = (hash ^ (hash >>> 15)) & mask; ; slot = (slot + 1) & mask) {
      const place = this.slots[slot] ?? 0;
      if (place === 0 || this.numbers[place - 1] === number) return slot;
    }
  }
}
