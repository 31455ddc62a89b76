import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../../src/backend/device.js';
import { HostDevice } from '../../../src/backend/host/host-device.js';
import { readKernelSources } from '../../../src/backend/kernel-sources.js';
import { smallAttention } from '../../../src/backend/self-test/attention-cases.js';
import { KERNEL_FAMILIES } from '../../../src/backend/self-test/calls/index.js';
import { erf } from '../../../src/backend/self-test/calls/math.js';
import { SMALL_SHAPES } from '../../../src/backend/self-test/calls/shapes.js';
import { errorOf } from '../../../src/backend/self-test/device-array.js';
import { isStored, launchName } from '../../../src/backend/self-test/kernel-call.js';
import { compareAttention, runFamily, selfTest } from '../../../src/backend/self-test/self-test.js';
import { parseSignatures } from '../../../src/backend/signatures.js';

let device: Device;
beforeAll(async () => {
  device = await HostDevice.create();
});
afterAll(() => device.dispose());

describe('the self-test', () => {
  it('passes on the host device, in every family, and leaves no memory behind', () => {
    const before = device.stats().liveBytes;
    const results = selfTest(device);
    expect(results.flatMap(({ failures }) => failures)).toEqual([]);
    expect(results.map(({ family }) => family)).toEqual([...Object.keys(KERNEL_FAMILIES), 'gemm', 'attention']);
    for (const { cases } of results) expect(cases).toBeGreaterThan(0);
    expect(device.stats().liveBytes).toBe(before);
  });

  it('launches every kernel of the sources, both variants of those that have two', async () => {
    const sources = await readKernelSources('kernels');
    const wanted = sources.flatMap(({ text }) => parseSignatures(text)).map(({ name }) => name);
    const calls = Object.values(KERNEL_FAMILIES).flatMap((family) => family(SMALL_SHAPES));
    const launched = calls.flatMap((call) =>
      isStored(call) ? [launchName(call, 'f32'), launchName(call, 'bf16')] : [launchName(call, 'f32')],
    );
    expect([...new Set(launched)].sort()).toEqual(wanted.sort());
  });

  it('has a family for every source of kernels', async () => {
    const sources = await readKernelSources('kernels');
    const files = sources.map(({ name }) => name).filter((name) => name.endsWith('.cu'));
    expect(Object.keys(KERNEL_FAMILIES)).toEqual(files.map((name) => name.replace('.cu', '')));
  });

  it('finds a kernel that is wrong in one element, one that writes nothing, and one that throws', () => {
    const broken = (name: string, break_: (parameters: number[]) => void): Device =>
      new Proxy(device, {
        get: (target, key) => {
          if (key === 'launch') {
            return (kernel: string, ...parameters: number[]) => {
              if (kernel !== name) target.launch(kernel, ...parameters);
              else break_(parameters);
            };
          }
          const value: unknown = Reflect.get(target, key);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    const failuresOf = (broken: Device) => selfTest(broken).filter(({ failed }) => failed > 0);
    const nothing = failuresOf(broken('swiglu', () => undefined));
    expect(nothing).toMatchObject([{ family: 'activation', failed: 1 }]);
    expect(nothing[0]?.failures[0]).toMatch(/^swiglu 300: error 1\.2e\+4, at most 4\.0e-5$/);
    const oneWrong = broken('rms_norm_bf16', (parameters) => {
      device.launch('rms_norm_bf16', ...parameters);
      device.write(parameters[2] ?? 0, Uint16Array.of(0x4000));
    });
    expect(failuresOf(oneWrong)).toMatchObject([{ family: 'norm', failed: 1 }]);
    const thrown = broken('top_k', () => {
      throw new Error('boom');
    });
    expect(failuresOf(thrown)).toMatchObject([{ family: 'top-k', failures: ['boom'] }]);
  });

  it('counts every failure of a family and shows the first five', () => {
    const wrong = { name: 'x', error: 2, tolerance: 1, passed: false };
    const result = runFamily(
      'any',
      Array.from({ length: 7 }, () => () => wrong),
    );
    expect(result).toMatchObject({ cases: 7, failed: 7, maxError: 2 });
    expect(result.failures).toHaveLength(5);
  });
});

describe('its measure of an error', () => {
  it('takes equal infinities and two NaNs as the same, and one of them alone as wrong', () => {
    const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
    expect(errorOf([nan, infinity, -0], [nan, infinity, 0])).toBe(0);
    expect(errorOf([nan], [1])).toBe(infinity);
    expect(errorOf([1], [infinity])).toBe(infinity);
    expect(errorOf([1], [nan])).toBe(infinity);
    expect(errorOf([1, 2], [1])).toBe(infinity);
    expect(errorOf([110, 1.5], [100, 1])).toBeCloseTo(0.5);
  });

  it('has an erf of its own that fits known values', () => {
    expect(erf(0.5)).toBeCloseTo(0.5204998778130465, 14);
    expect(erf(-2)).toBeCloseTo(-0.9953222650189527, 14);
    expect(erf(3.5)).toBeCloseTo(0.9999992569016276, 14);
  });

  it('would see attention that ignores its mask', () => {
    const masked = smallAttention().find(({ mask }) => mask !== undefined);
    if (masked === undefined) throw new Error('no masked case');
    const { mask, ...unmasked } = masked;
    expect(compareAttention(device, masked).passed).toBe(true);
    expect(mask).toBeDefined();
    expect(compareAttention(device, { ...unmasked, mask: undefined }).passed).toBe(true);
  });
});
