/** Recorded work: replays give what launches give, on new values, and leave no memory behind. */
import { STORAGE_BYTES } from '../../src/backend/device.js';
import { errorOf } from '../../src/backend/self-test/device-array.js';
import { DeviceMemory } from '../../src/backend/self-test/device-memory.js';
import { normals } from '../../src/backend/self-test/kernel-call.js';
import { BackendError } from '../../src/base/errors.js';
import { expectation, type SuiteContext, type SuitePart } from '../suite.js';

/** A little decoding step: norm, product, split-free attention against a cache whose length lies on the device, add. */
class Step {
  readonly heads = 4;
  readonly headDim = 32;
  readonly size = this.heads * this.headDim;
  readonly capacity = 50;
  private readonly memory: DeviceMemory;
  private readonly x: number;
  private readonly count: number;
  private readonly gamma: number;
  private readonly weight: number;
  private readonly cache: number;
  private readonly q: number;
  private readonly o: number;
  private readonly lse: number;
  readonly y: number;

  constructor(private readonly gpu: SuiteContext['gpu']) {
    this.memory = new DeviceMemory(gpu);
    const { size, capacity, memory } = this;
    this.x = memory.put(normals(size), 'bf16');
    this.count = memory.put(Int32Array.of(7), 'i32');
    this.gamma = memory.put(normals(size), 'f32');
    this.weight = memory.put(normals(size * size), 'bf16');
    this.cache = memory.put(normals(capacity * size), 'bf16');
    this.q = memory.alloc(size * STORAGE_BYTES.bf16);
    this.o = memory.alloc(size * STORAGE_BYTES.bf16);
    this.y = memory.alloc(size * STORAGE_BYTES.bf16);
    this.lse = memory.alloc(this.heads * STORAGE_BYTES.f32);
  }

  set(x: Float32Array, keys: number): void {
    const bits = new Uint16Array(x.length);
    for (let i = 0; i < x.length; i++) bits[i] = 0x3f80 + Math.floor(Math.abs(x[i] ?? 0) * 16);
    this.gpu.write(this.x, bits);
    this.gpu.write(this.count, Int32Array.of(keys));
  }

  /** Takes temporary memory, as real work does. */
  run(): void {
    const { gpu, size, heads, headDim, capacity } = this;
    const normed = gpu.alloc(size * STORAGE_BYTES.bf16);
    gpu.launch('rms_norm_bf16', this.x, this.gamma, normed, 1, size, 1e-6);
    gpu.gemm({
      ...{ storage: 'bf16', resultStorage: 'bf16', transposeA: false, transposeB: true, m: 1, n: size, k: size },
      ...{ a: normed, b: this.weight, c: this.q, bias: 0, scale: 0.1, accumulate: false, activation: 'none' },
      ...{ batch: 1, strideA: 0, strideB: 0, strideC: 0 },
    });
    gpu.attention({
      ...{
        storage: 'bf16',
        batch: 1,
        queries: 1,
        keys: capacity,
        capacity,
        keyCount: this.count,
        heads,
        groups: heads,
      },
      ...{ headDim, causal: true, scale: headDim ** -0.5, q: this.q, k: this.cache, v: this.cache, keyMask: 0 },
      ...{ o: this.o, lse: this.lse },
    });
    gpu.launch('arithmetic_flat_bf16', 0, this.o, this.x, this.y, size, 1, 1);
    gpu.free(normed, size * STORAGE_BYTES.bf16);
  }

  result(): ArrayLike<number> {
    return this.memory.get(this.y, this.size, 'bf16');
  }

  dispose(): void {
    this.memory.dispose();
  }
}

function refusal(work: () => void, code: string): string | undefined {
  try {
    work();
  } catch (error) {
    if (error instanceof BackendError && error.code === code) return undefined;
    return `got ${String(error)}, expected ${code}`;
  }
  return `nothing was thrown, expected ${code}`;
}

export function* recording({ gpu }: SuiteContext): Iterable<SuitePart> {
  const replays = expectation('replays on new values equal launches bit for bit', () => {
    const step = new Step(gpu);
    const before = gpu.stats().liveBytes;
    try {
      const recorded = gpu.record(() => step.run());
      for (const keys of [1, 7, 33, 50]) {
        step.set(normals(step.size), keys);
        step.run();
        const launched = step.result();
        gpu.write(step.y, new Uint16Array(step.size));
        recorded.replay();
        const error = errorOf(step.result(), launched);
        if (error !== 0) return `off by ${error} with ${keys} keys`;
      }
      recorded.dispose();
      const left = gpu.stats().liveBytes - before;
      return left === 0 ? undefined : `${left} bytes stay in use`;
    } finally {
      step.dispose();
    }
  });
  const many = expectation('100 recordings leave no memory behind', () => {
    const step = new Step(gpu);
    try {
      const before = gpu.stats().liveBytes;
      for (let i = 0; i < 100; i++) gpu.record(() => step.run()).dispose();
      const left = gpu.stats().liveBytes - before;
      return left === 0 ? undefined : `${left} bytes stay in use`;
    } finally {
      step.dispose();
    }
  });
  const refused = [
    expectation('a recording inside a recording is refused', () =>
      refusal(() => gpu.record(() => gpu.record(() => undefined)), 'E_RECORDING'),
    ),
    expectation('a read inside a recording is refused', () => {
      const memory = new DeviceMemory(gpu);
      const address = memory.put(normals(8), 'f32');
      const complaint = refusal(() => gpu.record(() => gpu.read(address, new Float32Array(8))), 'E_RECORDING');
      memory.dispose();
      return complaint;
    }),
  ];
  yield { name: 'recording', comparisons: [replays, many, ...refused] };
}
