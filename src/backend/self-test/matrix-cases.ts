/** Matrix products: every form that GemmProblem can take, beside three loops in float64. */
import type { Device, FloatStorage, GemmProblem } from '../device.js';
import { erf } from './calls/math.js';
import { asStored, DeviceMemory } from './device-memory.js';
import { normals } from './kernel-call.js';

type Form = Omit<GemmProblem, 'a' | 'b' | 'c' | 'bias'> & { readonly hasBias: boolean };

export interface MatrixCase {
  readonly name: string;
  readonly form: Form;
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly before: Float32Array;
  readonly bias: Float32Array;
}

interface Variation {
  readonly storage?: FloatStorage;
  readonly resultStorage?: FloatStorage;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly hasBias?: boolean;
  readonly activation?: 'none' | 'gelu';
  readonly accumulate?: boolean;
  readonly scale?: number;
  readonly batch?: number;
  /** One matrix for all items. */
  readonly shares?: 'a' | 'b';
}

const PLAIN = { storage: 'f32', transposeA: false, transposeB: false, activation: 'none', scale: 1, batch: 1 } as const;

function caseOf(m: number, n: number, k: number, variation: Variation): MatrixCase {
  const { shares, ...given } = variation;
  const chosen = { ...PLAIN, hasBias: false, accumulate: false, ...given };
  const { batch, storage } = chosen;
  const strideA = shares === 'a' ? 0 : m * k;
  const strideB = shares === 'b' ? 0 : k * n;
  const form = { resultStorage: storage, ...chosen, m, n, k, strideA, strideB, strideC: m * n };
  const words = Object.entries(variation).map(([key, value]) => (value === true ? key : `${key} ${value}`));
  return {
    name: [`${m} x ${n} x ${k}`, ...words].join(', '),
    form,
    // So that a result is about 1 whatever k is.
    a: normals(m * k * (shares === 'a' ? 1 : batch)).map((value) => value / Math.sqrt(Math.max(1, k))),
    b: normals(k * n * (shares === 'b' ? 1 : batch)),
    before: normals(m * n * batch),
    bias: normals(n),
  };
}

const gelu = (x: number) => 0.5 * x * (1 + erf(x / Math.SQRT2));

export function expectedProduct({ form, a, b, before, bias }: MatrixCase): Float64Array {
  const { m, n, k, batch, strideA, strideB, transposeA, transposeB, scale, storage } = form;
  const [storedA, storedB, storedC] = [
    asStored(a, storage),
    asStored(b, storage),
    asStored(before, form.resultStorage),
  ];
  const c = new Float64Array(batch * m * n);
  for (let item = 0; item < batch; item++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++) {
          const x = storedA[item * strideA + (transposeA ? l * m + i : i * k + l)] ?? 0;
          const y = storedB[item * strideB + (transposeB ? j * k + l : l * n + j)] ?? 0;
          sum += x * y;
        }
        const index = (item * m + i) * n + j;
        const linear =
          scale * sum + (form.hasBias ? (bias[j] ?? 0) : 0) + (form.accumulate ? (storedC[index] ?? 0) : 0);
        c[index] = form.activation === 'gelu' ? gelu(linear) : linear;
      }
    }
  }
  return c;
}

export function runProduct(device: Device, { form, a, b, before, bias }: MatrixCase): Float32Array | Int32Array {
  const memory = new DeviceMemory(device);
  try {
    const { hasBias, ...problem } = form;
    const c = memory.put(before, form.resultStorage);
    device.gemm({
      ...problem,
      a: memory.put(a, form.storage),
      b: memory.put(b, form.storage),
      c,
      bias: hasBias ? memory.put(bias, 'f32') : 0,
    });
    return memory.get(c, before.length, form.resultStorage);
  } finally {
    memory.dispose();
  }
}

/** The forms that the framework uses, in both storages, and a bf16 product with an f32 result. */
export function matrixCases(sizes: readonly (readonly [m: number, n: number, k: number])[]): MatrixCase[] {
  const forms: Variation[] = [
    {},
    { transposeB: true },
    { transposeA: true },
    { transposeA: true, transposeB: true, scale: 0.5 },
    { transposeB: true, hasBias: true },
    { transposeB: true, hasBias: true, activation: 'gelu' },
    { transposeA: true, accumulate: true },
    { batch: 3 },
    { batch: 3, shares: 'a' },
    { batch: 2, shares: 'b', transposeB: true },
  ];
  return sizes.flatMap(([m, n, k]) =>
    forms.flatMap((form) => [
      caseOf(m, n, k, form),
      caseOf(m, n, k, { storage: 'bf16', ...form }),
      caseOf(m, n, k, { storage: 'bf16', resultStorage: 'f32', ...form }),
    ]),
  );
}

/** One of each operand's layout and epilogue, tiny. */
export const SMALL_PRODUCTS = [[5, 7, 9]] as const;

/** Single, odd and aligned sizes, long and short inner sizes, one row (a decoding step), empty results, no inner size. */
export const MANY_PRODUCTS = [
  [1, 1, 1],
  [5, 7, 9],
  [17, 33, 65],
  [64, 64, 64],
  [1, 129, 300],
  [130, 8, 511],
  [3, 200, 1000],
  [128, 96, 16],
  [0, 5, 4],
  [4, 6, 0],
] as const;
