/** A small anti-aliased rasteriser: shapes are signed distances, coverage falls over one pixel at the edge. */

export type Rgb = readonly [number, number, number];

/** Signed distance in pixels of a point from the shape's edge; negative inside. `dx`, `dy` from its centre, y down. */
export type Shape = (dx: number, dy: number) => number;

export const disc =
  (radius: number): Shape =>
  (dx, dy) =>
    Math.sqrt(dx * dx + dy * dy) - radius;

export const rectangle =
  (halfWidth: number, halfHeight: number): Shape =>
  (dx, dy) =>
    Math.max(Math.abs(dx) - halfWidth, Math.abs(dy) - halfHeight);

/** Equilateral, point up. */
export const triangle =
  (circumradius: number): Shape =>
  (dx, dy) =>
    Math.max(dy, (Math.sqrt(3) / 2) * Math.abs(dx) - dy / 2) - circumradius / 2;

/** Two crossed bars. */
export const plus =
  (radius: number, halfBar: number): Shape =>
  (dx, dy) =>
    Math.min(
      Math.max(Math.abs(dx) - radius, Math.abs(dy) - halfBar),
      Math.max(Math.abs(dx) - halfBar, Math.abs(dy) - radius),
    );

export class Canvas {
  /** RGB, row-major. */
  private readonly pixels: Float32Array;

  constructor(
    readonly size: number,
    background: Rgb,
  ) {
    this.pixels = new Float32Array(size * size * 3);
    for (let i = 0; i < this.pixels.length; i++) this.pixels[i] = background[i % 3] ?? 0;
  }

  /**
   * Paints the shape grown by `grow` pixels (shrunk when negative) around (cx, cy).
   *
   * @param reach half side of the square that holds the shape
   */
  paint(shape: Shape, cx: number, cy: number, reach: number, color: Rgb, grow = 0): void {
    const { size, pixels } = this;
    const [red, green, blue] = color;
    const left = Math.max(0, Math.floor(cx - reach));
    const right = Math.min(size, Math.ceil(cx + reach));
    const bottom = Math.min(size, Math.ceil(cy + reach));
    for (let y = Math.max(0, Math.floor(cy - reach)); y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const coverage = Math.min(1, 0.5 + grow - shape(x + 0.5 - cx, y + 0.5 - cy));
        if (coverage <= 0) continue;
        const at = (y * size + x) * 3;
        pixels[at] = mix(pixels[at] ?? 0, red, coverage);
        pixels[at + 1] = mix(pixels[at + 1] ?? 0, green, coverage);
        pixels[at + 2] = mix(pixels[at + 2] ?? 0, blue, coverage);
      }
    }
  }

  /** Means of 2 x 2 pixels, RGB of half the side. */
  halved(): Float32Array {
    const { size, pixels } = this;
    const half = size / 2;
    const row = size * 3;
    const out = new Float32Array(half * half * 3);
    for (let i = 0; i < out.length; i++) {
      const channel = i % 3;
      const x = ((i - channel) / 3) % half;
      const y = Math.floor(i / (3 * half));
      const at = 2 * y * row + 6 * x + channel;
      out[i] = ((pixels[at] ?? 0) + (pixels[at + 3] ?? 0) + (pixels[at + row] ?? 0) + (pixels[at + row + 3] ?? 0)) / 4;
    }
    return out;
  }
}

function mix(from: number, to: number, amount: number): number {
  return from + (to - from) * amount;
}
