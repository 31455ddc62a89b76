/**
 * Buffers whose offsets pass 2^31 bytes, and 2^31 elements: 32-bit arithmetic on an address or an index shows here only.
 *
 * A buffer holds a constant but for short windows of other numbers at its begin, on both sides of 2^31 and at its end;
 * the results are checked in the windows.
 */
import { type Device, type FloatStorage, STORAGE_BYTES } from '../../src/backend/device.js';
import { download, errorOf, upload } from '../../src/backend/self-test/device-array.js';
import { asStored, DeviceMemory } from '../../src/backend/self-test/device-memory.js';
import { BF16_ROUNDING, F32_TOLERANCE, normals } from '../../src/backend/self-test/kernel-call.js';
import type { Comparison, Verdict } from '../../src/backend/self-test/self-test.js';
import { bf16Name } from '../../src/backend/signatures.js';
import type { SuiteContext, SuitePart } from '../suite.js';

const COLS = 4096;
const FILLED = 0.5;
const GIB = 2 ** 30;

/** A matrix of `rows` x COLS on the device, its windows being whole rows. */
interface Tall {
  readonly address: number;
  readonly windows: ReadonlyMap<number, Float32Array>;
}

class TallMatrices {
  readonly memory: DeviceMemory;
  readonly rowsSeen: readonly number[];

  constructor(
    readonly device: Device,
    readonly storage: FloatStorage,
    readonly rows: number,
  ) {
    this.memory = new DeviceMemory(device);
    const middle = Math.min(Math.floor(2 ** 31 / COLS), rows - 2);
    this.rowsSeen = [...new Set([0, middle - 1, middle, middle + 1, rows - 1])].filter((row) => row >= 0);
  }

  name(kernel: string): string {
    return this.storage === 'bf16' ? bf16Name(kernel) : kernel;
  }

  at(matrix: Tall, row: number): number {
    return matrix.address + row * COLS * STORAGE_BYTES[this.storage];
  }

  empty(): Tall {
    return { address: this.memory.alloc(this.rows * COLS * STORAGE_BYTES[this.storage]), windows: new Map() };
  }

  make(): Tall {
    const matrix = this.empty();
    this.device.launch(this.name('fill'), matrix.address, this.rows * COLS, FILLED);
    const windows = new Map(this.rowsSeen.map((row) => [row, normals(COLS)]));
    for (const [row, values] of windows) upload(this.device, this.at(matrix, row), values, this.storage);
    return { ...matrix, windows };
  }

  read(matrix: Tall, row: number): Float32Array | Int32Array {
    return download(this.device, this.at(matrix, row), COLS, this.storage);
  }

  /** The row as the device has it. */
  values({ windows }: Tall, row: number): Float32Array {
    return asStored(windows.get(row) ?? new Float32Array(COLS).fill(FILLED), this.storage);
  }

  /** The largest error of the rows looked at, beside `want(row)`. */
  verdict(name: string, result: Tall, want: (row: number) => ArrayLike<number>, rows = this.rowsSeen): Verdict {
    const error = Math.max(...rows.map((row) => errorOf(this.read(result, row), want(row))));
    const tolerance = 2 * F32_TOLERANCE + (this.storage === 'bf16' ? BF16_ROUNDING : 0);
    const size = `${this.rows} x ${COLS} ${this.storage}`;
    return { name: `${name} of ${size}`, error, tolerance, passed: error <= tolerance };
  }
}

type TallTest = (tall: TallMatrices) => Verdict;

const silu = (x: number) => x / (1 + Math.exp(-x));

const swiglu: TallTest = (tall) => {
  const [gate, up, y] = [tall.make(), tall.make(), tall.empty()];
  tall.device.launch(tall.name('swiglu'), gate.address, up.address, y.address, tall.rows * COLS);
  return tall.verdict('swiglu', y, (row) => {
    const b = tall.values(up, row);
    return tall.values(gate, row).map((g, i) => silu(g) * (b[i] ?? 0));
  });
};

const rmsNorm: TallTest = (tall) => {
  const [x, y] = [tall.make(), tall.empty()];
  const gamma = tall.memory.put(new Float32Array(COLS).fill(1), 'f32');
  tall.device.launch(tall.name('rms_norm'), x.address, gamma, y.address, tall.rows, COLS, 1e-6);
  return tall.verdict('rms_norm', y, (row) => {
    const values = tall.values(x, row);
    const meanSquare = values.reduce((sum, value) => sum + value * value, 0) / COLS;
    return values.map((value) => value / Math.sqrt(meanSquare + 1e-6));
  });
};

const gather: TallTest = (tall) => {
  const x = tall.make();
  const wanted = [...tall.rowsSeen].reverse();
  const indices = tall.memory.put(Int32Array.from(wanted), 'i32');
  const y: Tall = {
    address: tall.memory.alloc(wanted.length * COLS * STORAGE_BYTES[tall.storage]),
    windows: new Map(),
  };
  const sizes = [wanted.length, 1, tall.rows, wanted.length, COLS];
  tall.device.launch(tall.name('gather'), x.address, indices, y.address, ...sizes);
  return tall.verdict('gather', y, (i) => tall.values(x, wanted[i] ?? 0), [...wanted.keys()]);
};

/** [rows, COLS] x [COLS, COLS] with a permutation for the second matrix: every result is one of the operand's values. */
const product: TallTest = (tall) => {
  const [x, y] = [tall.make(), tall.empty()];
  const shift = 5;
  const permutation = new Float32Array(COLS * COLS);
  for (let i = 0; i < COLS; i++) permutation[i * COLS + ((i + shift) % COLS)] = 1;
  const b = tall.memory.put(permutation, tall.storage);
  tall.device.gemm({
    ...{ storage: tall.storage, resultStorage: tall.storage, transposeA: false, transposeB: false },
    ...{ m: tall.rows, n: COLS, k: COLS, a: x.address, b, c: y.address, bias: 0, scale: 1, accumulate: false },
    ...{ activation: 'none', batch: 1, strideA: 0, strideB: 0, strideC: 0 },
  });
  return tall.verdict('gemm', y, (row) => {
    const values = tall.values(x, row);
    return values.map((_, j) => values[(j - shift + COLS) % COLS] ?? 0);
  });
};

/** One query against as many keys as rows, all but a few of them hidden: what is seen is their mean. */
const attention: TallTest = (tall) => {
  const { device, memory, rows, storage } = tall;
  const heads = COLS / 128;
  const [k, v] = [tall.make(), tall.make()];
  const mask = memory.alloc(rows * STORAGE_BYTES.i32);
  device.launch('fill_int', mask, rows, 0);
  for (const row of tall.rowsSeen) device.write(mask + row * STORAGE_BYTES.i32, Int32Array.of(1));
  const q = memory.put(new Float32Array(COLS), storage);
  const o: Tall = { address: memory.alloc(COLS * STORAGE_BYTES[storage]), windows: new Map() };
  device.attention({
    ...{ storage, batch: 1, queries: 1, keys: rows, capacity: rows, keyCount: 0, heads, groups: heads, headDim: 128 },
    ...{ causal: true, scale: 128 ** -0.5, q, k: k.address, v: v.address, keyMask: mask, o: o.address },
    lse: memory.alloc(heads * STORAGE_BYTES.f32),
  });
  const mean = new Float64Array(COLS);
  for (const row of tall.rowsSeen) {
    for (const [i, value] of tall.values(v, row).entries()) mean[i] = (mean[i] ?? 0) + value / tall.rowsSeen.length;
  }
  return tall.verdict('attention', o, () => mean, [0]);
};

/** Matrices of the size that a test holds at once, beside what is small. */
const TESTS: readonly (readonly [TallTest, matrices: number])[] = [
  [swiglu, 3],
  [rmsNorm, 2],
  [gather, 1],
  [product, 2],
  [attention, 2],
];

export function* largeOffsets({ gpu, quick }: SuiteContext): Iterable<SuitePart> {
  // f32: offsets beyond 2^31 bytes. bf16: indices beyond 2^31 elements, offsets beyond 2^32 bytes.
  const sizes = [
    ['f32', quick ? 3 : Math.ceil(2 ** 31 / 4 / COLS) + 3],
    ['bf16', quick ? 3 : Math.ceil(2 ** 31 / COLS) + 3],
  ] as const;
  for (const [storage, rows] of sizes) {
    const bytes = (matrices: number) => matrices * rows * COLS * STORAGE_BYTES[storage] + GIB / 4;
    const fits = TESTS.filter(([, matrices]) => quick || bytes(matrices) < 0.8 * gpu.properties.totalBytes);
    const comparisons = fits.map(
      ([test]): Comparison =>
        () => {
          const tall = new TallMatrices(gpu, storage, rows);
          try {
            return test(tall);
          } finally {
            tall.memory.dispose();
          }
        },
    );
    const missing = TESTS.length - fits.length;
    const leftOut = missing === 0 ? {} : { leftOut: `${missing} tests that need more memory than this GPU has` };
    yield { name: `offsets past 2^31, ${storage}`, comparisons, ...leftOut };
  }
}
