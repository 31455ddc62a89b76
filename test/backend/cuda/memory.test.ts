import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Context } from '../../../src/backend/cuda/context.js';
import { Driver } from '../../../src/backend/cuda/driver.js';
import { DeviceMemory } from '../../../src/backend/cuda/memory.js';
import { stub, stubFolder } from './devices.js';

let context: Context;
let memory: DeviceMemory;

beforeEach(() => {
  context = new Context(Driver.open({ folders: [stubFolder] }), 0);
  memory = new DeviceMemory(context);
});
afterEach(() => {
  memory.dispose();
  expect(stub.allocationCount()).toBe(0);
  context.release();
});

describe('DeviceMemory', () => {
  it('hands a freed block out again without asking the driver', () => {
    const first = memory.alloc(1000);
    memory.free(first, 1000);
    expect(memory.alloc(1000)).toBe(first);
    expect(stub.allocationCount()).toBe(1);
  });

  it('gives address 0 for no bytes, and takes it back', () => {
    expect(memory.alloc(0)).toBe(0);
    memory.free(0, 0);
    expect(stub.allocationCount()).toBe(0);
  });

  it('returns its cache to the driver, and what tensors hold when it is disposed of', () => {
    const held = memory.alloc(4096);
    memory.free(memory.alloc(2048), 2048);
    expect(memory.cachedBytes).toBe(2048);
    memory.trim();
    expect(stub.allocationCount()).toBe(1);
    expect(memory.liveBytes).toBe(4096);
    expect(held).toBeGreaterThan(0);
  });
});

describe('a private pool', () => {
  it('shares nothing with the main pool, in either direction', () => {
    const cached = memory.alloc(512);
    memory.free(cached, 512);
    let inside = 0;
    const pool = memory.withPrivatePool(() => {
      inside = memory.alloc(512);
      memory.free(inside, 512);
      expect(memory.alloc(512)).toBe(inside);
    });
    expect(inside).not.toBe(cached);
    memory.free(inside, 512);
    expect(memory.alloc(512)).toBe(cached);
    memory.disposePrivate(pool);
  });

  it('holds back what was taken before it and freed inside, because a replay reads it', () => {
    const outer = memory.alloc(512);
    const pool = memory.withPrivatePool(() => memory.free(outer, 512));
    expect(memory.alloc(512)).not.toBe(outer);
    memory.disposePrivate(pool);
    expect(memory.alloc(512)).toBe(outer);
  });

  it('keeps blocks that outlive it until they are freed, and counts them', () => {
    let kept = 0;
    const pool = memory.withPrivatePool(() => {
      kept = memory.alloc(512);
      memory.free(memory.alloc(1024), 1024);
    });
    expect(memory.liveBytes).toBe(512);
    memory.disposePrivate(pool);
    expect(stub.allocationCount()).toBe(1);
    memory.free(kept, 512);
    expect(stub.allocationCount()).toBe(0);
    expect(memory.liveBytes).toBe(0);
  });

  it('goes at once when the work fails', () => {
    const fail = () => {
      memory.alloc(512);
      throw new RangeError('inside');
    };
    expect(() => memory.withPrivatePool(fail)).toThrow('inside');
    memory.free(memory.alloc(256), 256);
    expect(memory.cachedBytes).toBe(256);
  });
});
