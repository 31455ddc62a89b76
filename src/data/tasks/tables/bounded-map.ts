/** A map that forgets what was not asked for the longest when its values weigh too much. */
export class BoundedMap<K, V> {
  private readonly values = new Map<K, V>();
  private weight = 0;

  constructor(
    private readonly maxWeight: number,
    private readonly weightOf: (value: V) => number = () => 1,
  ) {}

  /** What is kept for `key`; else what `make` gives, which is kept. */
  take(key: K, make: (key: K) => V): V {
    let value = this.values.get(key);
    if (value === undefined) {
      value = make(key);
      this.weight += this.weightOf(value);
    } else this.values.delete(key);
    this.values.set(key, value);
    for (const [oldest, old] of this.values) {
      if (this.weight <= this.maxWeight) break;
      this.values.delete(oldest);
      this.weight -= this.weightOf(old);
    }
    return value;
  }
}
