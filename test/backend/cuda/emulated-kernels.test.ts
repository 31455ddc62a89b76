/**
 * Every kernel that both devices share, its CUDA branch under the emulator against the host's: the same source, other
 * loops, reductions and functions. Launch shapes vary, blocks run in both orders.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { KernelLibrary } from '../../../src/backend/cuda/kernel-library.js';
import type { FloatStorage } from '../../../src/backend/device.js';
import { readKernelSources } from '../../../src/backend/kernel-sources.js';
import { bf16Name, type ParameterType, parseSignatures } from '../../../src/backend/signatures.js';
import { type KernelValue, type LaunchShape, StubDriver } from '../../support/cuda/stub-driver.js';
import { bf16, floatsOf, openHost, worstError } from './devices.js';
import { type Argument, CASES, type KernelCase, unaryCases } from './kernel-cases.js';

/** Fewer and more threads than elements of a row, fewer and more blocks than rows. */
const SHAPES: readonly LaunchShape[] = [
  { grid: [1], block: [32] },
  { grid: [3], block: [96] },
  { grid: [40], block: [256] },
];

/**
 * |got - want| / (1 + |want|). f32, measured 3.4e-6 (gated fusion's gradient, a dot product of 300 terms in another order
 * inside a sigmoid), 8e-7 elsewhere: the host's exp, tanh and erf are off by at most 2.5 ulp. bf16, measured 4.8e-7, because
 * no result lay close enough to a rounding boundary; a step of bf16 is 2^-8 of the value.
 */
const TOLERANCE: Readonly<Record<FloatStorage, number>> = { f32: 1e-5, bf16: 2 ** -7 };

type Numbers = Float32Array | Int32Array | Uint16Array;

const sources = (await readKernelSources('kernels')).filter(({ name }) => name.endsWith('.cu'));
const signatures = new Map(sources.flatMap(({ text }) => parseSignatures(text)).map((one) => [one.name, one]));
const cases = [...CASES, ...sources.flatMap(({ text }) => unaryCases(text))];

/** Not in a hook: the first build may take longer than hooks have. */
const host = await openHost();
const cuda = await StubDriver.open();
const library = await KernelLibrary.read();
const kernels = new Map<string, number>();
cuda.start();

afterAll(() => host.dispose());

/** A file is compiled when the first of its kernels is asked for. */
function kernel(name: string): number {
  const unit = library.unitOf(name);
  if (!kernels.has(name)) {
    const module = cuda.load(cuda.compile(unit.source, unit.options, Object.fromEntries(library.headers)));
    for (const signature of unit.signatures) kernels.set(signature.name, cuda.kernel(module, signature.name));
  }
  return kernels.get(name) ?? 0;
}

/** Memory of one of the devices. */
interface Memory {
  alloc(bytes: number): number;
  write(at: number, values: Numbers): void;
  read(at: number, into: Numbers): void;
  free(at: number, bytes: number): void;
}

function numbers(argument: Argument, storage: FloatStorage): Numbers {
  if (typeof argument === 'number' || argument.kind === 'table') return new Int32Array(0);
  if (argument.as === 'i32') return Int32Array.from(argument.values);
  const floats = Float32Array.from(argument.values);
  return argument.as === 'stored' && storage === 'bf16' ? bf16(floats).bits : floats;
}

/** What the arrays of a case hold after `launch`, which gets a number for each parameter. An empty array has address 0. */
function run(
  one: KernelCase,
  storage: FloatStorage,
  memory: Memory,
  launch: (parameters: number[]) => void,
): Numbers[] {
  const arrays = one.parameters.map((argument) => numbers(argument, storage));
  const place = (array: Numbers) => {
    if (array.length === 0) return 0;
    const at = memory.alloc(array.byteLength);
    memory.write(at, array);
    return at;
  };
  const places = arrays.map(place);
  for (const [i, argument] of one.parameters.entries()) {
    if (typeof argument === 'number' || argument.kind !== 'table') continue;
    const words = BigInt64Array.from(argument.words((other) => places[other] ?? 0));
    const table = new Int32Array(words.buffer);
    places[i] = place(table);
    arrays[i] = table;
  }
  launch(one.parameters.map((argument, i) => (typeof argument === 'number' ? argument : (places[i] ?? 0))));
  for (const [i, array] of arrays.entries()) {
    if (array.length === 0) continue;
    memory.read(places[i] ?? 0, array);
    memory.free(places[i] ?? 0, array.byteLength);
  }
  // A table holds the device's own addresses.
  return arrays.filter((_, i) => {
    const argument = one.parameters[i];
    return typeof argument === 'object' && argument.kind !== 'table';
  });
}

function kernelValue(type: ParameterType | undefined, value: number): KernelValue {
  if (type === 'uint64') return { pointer: value };
  if (type === 'int64') return { i64: value };
  return type === 'float' ? { f32: value } : { i32: value | 0 };
}

/** 0 where whole numbers agree. */
function difference(got: Numbers, want: Numbers): number {
  if (want instanceof Int32Array) return worstError(got, want) === 0 ? 0 : Number.POSITIVE_INFINITY;
  if (want instanceof Uint16Array && got instanceof Uint16Array) return worstError(floatsOf(got), floatsOf(want));
  return worstError(got, want);
}

function compare(one: KernelCase, storage: FloatStorage): void {
  const name = storage === 'bf16' ? bf16Name(one.kernel) : one.kernel;
  const signature = signatures.get(name);
  if (signature === undefined) throw new Error(`no kernel ${name}`);
  const own = signature.parameters.length;
  const want = run(one, storage, host, (values) => host.launch(name, ...values.slice(0, own)));
  for (const [i, shape] of SHAPES.entries()) {
    cuda.control.configure('MIMIC_STUB_REVERSE', i % 2 === 1 ? '1' : '0');
    const got = run(one, storage, cuda, (values) => {
      const typed = values.slice(0, own).map((value, p) => kernelValue(signature.parameters[p], value));
      cuda.launch(kernel(name), shape, typed);
    });
    const errors = got.map((values, output) => difference(values, want[output] ?? new Float32Array(0)));
    expect(Math.max(...errors), `${name} ${one.what}, grid ${shape.grid}, block ${shape.block}`).toBeLessThan(
      TOLERANCE[storage],
    );
  }
}

describe('kernels under the emulator', () => {
  it('have a case each', () => {
    const covered = new Set(cases.flatMap((one) => [one.kernel, bf16Name(one.kernel)]));
    expect([...signatures.keys()].filter((name) => !covered.has(name))).toEqual([]);
  });

  it.each([...new Set(cases.map((one) => one.kernel))])('%s computes what the host computes', (name) => {
    for (const one of cases.filter(({ kernel: wanted }) => wanted === name)) {
      compare(one, 'f32');
      if (signatures.has(bf16Name(name))) compare(one, 'bf16');
    }
  });
});
