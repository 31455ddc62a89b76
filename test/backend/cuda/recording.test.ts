import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { fetched, openCuda, put, stub } from './devices.js';

const device = await openCuda();
afterAll(() => device.dispose());
beforeEach(() => {
  stub.takeLaunches();
});

const read = (address: number) => [...fetched(device, address, new Float32Array(2))];

describe('record', () => {
  it('runs the work once, and again at each replay, on the same memory', () => {
    const x = put(device, Float32Array.of(1, 2));
    const recording = device.record(() => device.launch('swiglu', x, x, x, 2));
    const silu = (g: number) => (g / (1 + Math.exp(-g))) * g;
    const [first, second] = read(x);
    expect(first).toBeCloseTo(silu(1), 6);
    expect(second).toBeCloseTo(silu(2), 6);
    recording.replay();
    expect(read(x)[0]).toBeCloseTo(silu(silu(1)), 6);
    expect(stub.takeLaunches().length).toBeGreaterThan(0);
    recording.dispose();
  });

  it('copies constants again that were written inside', () => {
    let inside = 0;
    const y = device.alloc(8);
    const recording = device.record(() => {
      inside = put(device, Float32Array.of(3, 4));
      device.launch('gelu', inside, y, 2);
      device.launch('gelu', inside, inside, 2);
    });
    const once = read(y);
    recording.replay();
    expect(read(y)).toEqual(once);
    recording.dispose();
  });

  it('records products', () => {
    const x = put(device, Float32Array.of(2, 0, 0, 2));
    const c = put(device, Float32Array.of(1, 0, 0, 1));
    const shape = { m: 2, n: 2, k: 2, batch: 1, strideA: 0, strideB: 0, strideC: 0, scale: 1, bias: 0 };
    const flags = { transposeA: false, transposeB: false, accumulate: true, activation: 'none' } as const;
    const recording = device.record(() =>
      device.gemm({ storage: 'f32', resultStorage: 'f32', ...shape, ...flags, a: x, b: x, c }),
    );
    recording.replay();
    expect([...fetched(device, c, new Float32Array(4))]).toEqual([9, 0, 0, 9]);
    recording.dispose();
  });

  it('keeps results that outlive it until they are freed', () => {
    const before = stub.allocationCount();
    let result = 0;
    const x = put(device, Float32Array.of(0, 100));
    const recording = device.record(() => {
      result = device.alloc(8);
      device.launch('gelu', x, result, 2);
    });
    recording.dispose();
    recording.dispose();
    expect(read(result)).toEqual([0, 100]);
    device.free(result, 8);
    expect(stub.allocationCount() - before).toBeLessThanOrEqual(1);
  });

  it('refuses to read inside, and the device works on after a failed recording', () => {
    const x = put(device, Float32Array.of(1, 2));
    expect(() => device.record(() => read(x))).toThrow(/a recording read from the device/);
    expect(() => device.record(() => device.launch('no_such_kernel'))).toThrow(/no kernel named/);
    expect(() => device.record(() => device.record(() => undefined))).toThrow(/a recording inside a recording/);
    expect(read(x)).toEqual([1, 2]);
  });
});
