import { describe, expect, it } from 'vitest';
import { BackendError } from '../../../src/base/errors.js';
import { normal, openCuda, put, stub } from './devices.js';

function failure(work: () => unknown): BackendError {
  try {
    work();
  } catch (error) {
    if (error instanceof BackendError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

// A file of its own: the context answers nothing else afterwards, as on a GPU.
describe('a kernel that touches memory it must not', () => {
  it('ends the device with an error that says so, and every later call repeats it', async () => {
    const device = await openCuda();
    const x = put(device, normal('x', 16));
    // Far more elements than there are: the launch is fine, its execution is not.
    device.launch('gelu', x, x, 2 ** 24);
    const bad = failure(() => device.synchronize());
    expect(bad.code).toBe('E_CUDA_CRASHED');
    expect(bad.message).toMatch(/CUDA_ERROR_ILLEGAL_ADDRESS.*the GPU's state is lost/);
    expect(bad.hint).toContain('the last checkpoint is intact');
    expect(failure(() => device.alloc(2 ** 24)).code).toBe('E_CUDA_CRASHED');
    expect(failure(() => device.synchronize()).code).toBe('E_CUDA_CRASHED');
    expect(stub.lastFailure()).not.toBe('');
    // Nothing can be freed any more: the end of the process does it.
    device.dispose();
  });
});
