/** A curve of any length in bounded memory: means over ever longer stretches of steps. */

export interface CurvePoint {
  /** Last step of the stretch. */
  readonly step: number;
  readonly values: readonly number[];
  /** Steps that `values` are means over. */
  readonly steps: number;
}

/** Twice the pixels that a chart has. */
const DEFAULT_CAPACITY = 800;

export class Curve {
  private points: CurvePoint[] = [];
  private stride = 1;

  /** @param capacity points held at most, even */
  constructor(private readonly capacity = DEFAULT_CAPACITY) {}

  /** @param step larger than any before it. @param values as many each time */
  add(step: number, values: readonly number[]): void {
    const last = this.points.at(-1);
    const point = { step, values, steps: 1 };
    if (last !== undefined && last.steps < this.stride) this.points[this.points.length - 1] = merged(last, point);
    else this.points.push(point);
    if (this.points.length > this.capacity) this.halve();
  }

  /** Forgets what comes after `step`: a resumed run does it again. A stretch that ends after it goes wholly. */
  truncate(step: number): void {
    this.points = this.points.filter((point) => point.step <= step);
  }

  list(): readonly CurvePoint[] {
    return this.points;
  }

  private halve(): void {
    const halved: CurvePoint[] = [];
    for (let i = 0; i < this.points.length; i += 2) {
      const [first, second] = this.points.slice(i, i + 2);
      if (first !== undefined) halved.push(second === undefined ? first : merged(first, second));
    }
    this.points = halved;
    this.stride *= 2;
  }
}

function merged(a: CurvePoint, b: CurvePoint): CurvePoint {
  const steps = a.steps + b.steps;
  const values = a.values.map((value, i) => {
    const other = b.values[i] ?? Number.NaN;
    // A step without videos has no loss; it must not take its neighbours' away.
    if (!Number.isFinite(value)) return other;
    return Number.isFinite(other) ? (value * a.steps + other * b.steps) / steps : value;
  });
  return { step: b.step, values, steps };
}

/** Exponentially weighted mean of a stream, unbiased from its first value on. Values that are not finite are passed over. */
export class MovingMean {
  private sum = 0;
  private weight = 0;

  /** @param horizon how many values count, about */
  constructor(private readonly horizon: number) {}

  /** NaN before the first. */
  get value(): number {
    return this.weight === 0 ? Number.NaN : this.sum / this.weight;
  }

  /** @param count of equal values at once. @returns the mean with it */
  add(value: number, count = 1): number {
    if (Number.isFinite(value)) {
      const kept = (1 - 1 / this.horizon) ** count;
      this.sum = this.sum * kept + value * (1 - kept);
      this.weight = this.weight * kept + 1 - kept;
    }
    return this.value;
  }
}
