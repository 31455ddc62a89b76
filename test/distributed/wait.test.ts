import { describe, expect, it } from 'vitest';
import { collectiveTimeoutSec, waitUntil } from '../../src/distributed/wait.js';

describe('waitUntil', () => {
  it('asks until it is done, with and without pauses', () => {
    for (const busyMs of [0, 1000]) {
      let asked = 0;
      waitUntil(() => ++asked >= 5, { what: 'test', timeoutSec: 10, busyMs });
      expect(asked).toBe(5);
    }
  });

  it('gives up in the end, saying who waited for what', () => {
    const wait = () => waitUntil(() => false, { what: 'rank 3: allGather 12', timeoutSec: 0.01, busyMs: 0 });
    expect(wait).toThrow(
      expect.objectContaining({
        code: 'E_COLLECTIVE_TIMEOUT',
        message: expect.stringContaining('rank 3: allGather 12'),
      }),
    );
  });

  it('ends with what the check of the other processes throws', () => {
    const check = () => {
      throw new Error('rank 1 is gone');
    };
    expect(() => waitUntil(() => false, { what: 'test', timeoutSec: 10, busyMs: 0, check })).toThrow('rank 1 is gone');
  });

  it('takes its limit from the environment', () => {
    expect(collectiveTimeoutSec({})).toBe(600);
    expect(collectiveTimeoutSec({ MIMIC_COLLECTIVE_TIMEOUT_SEC: '30' })).toBe(30);
    expect(collectiveTimeoutSec({ MIMIC_COLLECTIVE_TIMEOUT_SEC: 'never' })).toBe(600);
  });
});
