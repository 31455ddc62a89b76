import { afterEach, describe, expect, it } from 'vitest';
import { Context } from '../../../src/backend/cuda/context.js';
import { Driver, versionText } from '../../../src/backend/cuda/driver.js';
import { OutValue } from '../../../src/backend/cuda/prototype.js';
import { BackendError } from '../../../src/base/errors.js';
import { stub, stubFolder } from './devices.js';

const open = () => Driver.open({ folders: [stubFolder] });

function failure(work: () => unknown): BackendError {
  try {
    work();
  } catch (error) {
    if (error instanceof BackendError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('Driver', () => {
  afterEach(() => {
    stub.configure('MIMIC_STUB_DRIVER_VERSION', '');
    stub.configure('MIMIC_STUB_DEVICES', '');
  });

  it('knows its version', () => {
    stub.configure('MIMIC_STUB_DRIVER_VERSION', '13010');
    expect(open().version).toBe(13010);
    expect([11080, 12040, 13000].map(versionText)).toEqual(['11.8', '12.4', '13.0']);
  });

  it('refuses a driver before CUDA 11.8', () => {
    stub.configure('MIMIC_STUB_DRIVER_VERSION', '11040');
    const error = failure(open);
    expect(error.code).toBe('E_CUDA_DRIVER_OLD');
    expect(error.message).toBe('cuda: the driver runs CUDA 11.4, expected 11.8 or newer');
  });

  it('says what to check when there is no GPU', () => {
    stub.configure('MIMIC_STUB_DEVICES', '0');
    const error = failure(open);
    expect(error.code).toBe('E_CUDA_NO_DEVICE');
    expect(error.message).toContain('CUDA_ERROR_NO_DEVICE');
    expect(error.hint).toContain('nvidia-smi');
  });

  it('names the call, the status in the words of the driver, and what the call was for', () => {
    const error = open().error(1, 'cuMemAlloc', 'reserving 12 bytes');
    expect(error.code).toBe('E_CUDA_CALL');
    expect(error.message).toBe(
      'cuda: cuMemAlloc failed with CUDA_ERROR_INVALID_VALUE (invalid argument) while reserving 12 bytes',
    );
    expect(error.context).toEqual({ status: 1, name: 'CUDA_ERROR_INVALID_VALUE', call: 'cuMemAlloc' });
  });

  it('says of an error that ends the context that the process must restart and the checkpoint is safe', () => {
    const error = open().error(700, 'cuStreamSynchronize', 'waiting for queued work');
    expect(error.code).toBe('E_CUDA_CRASHED');
    expect(error.message).toContain("the GPU's state is lost");
    expect(error.hint).toMatch(/start the process again: the last checkpoint is intact/);
  });

  it('copes with a status that the driver has no name for', () => {
    expect(open().error(987654, 'cuInit', 'testing').message).toContain('CUresult 987654');
  });
});

describe('Context', () => {
  it('refuses a GPU that is not there', () => {
    const error = failure(() => new Context(open(), 3));
    expect(error.code).toBe('E_DEVICE_ABSENT');
    expect(error.message).toBe('device cuda:3: the driver sees 1 GPUs, counted from 0');
  });

  it("reads the GPU's figures", () => {
    stub.configure('MIMIC_STUB_SM', '80');
    const context = new Context(open(), 0);
    stub.configure('MIMIC_STUB_SM', '');
    // The stub's A100: 5120 bits at 1512 MHz, two transfers a cycle.
    expect(context.properties).toMatchObject({ sm: 80, multiprocessors: 108, sharedBytesPerBlock: 166912 });
    expect(context.properties.bytesPerSecond).toBeCloseTo(1.935e12, -10);
    context.release();
  });

  it('is current from its making on, and again when another was used meanwhile', () => {
    const driver = open();
    const [first, second] = [new Context(driver, 0), new Context(driver, 0)];
    driver.check(driver.calls.cuCtxSetCurrent(0), 'cuCtxSetCurrent', 'leaving the context');
    expect(driver.calls.cuCtxSynchronize()).not.toBe(0);
    first.makeCurrent();
    expect(driver.calls.cuCtxSynchronize()).toBe(0);
    first.release();
    second.makeCurrent();
    const out = new OutValue();
    expect(driver.calls.cuMemAlloc_v2(out.bytes, 64)).toBe(0);
    expect(driver.calls.cuMemFree_v2(out.uint64)).toBe(0);
    second.release();
  });
});
