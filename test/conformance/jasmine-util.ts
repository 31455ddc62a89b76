/** Stands in for tfjs-core's dist/jasmine_util, which needs jasmine-core: the same names, with one test environment. */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';
import { describe } from './jasmine.js';

const BACKEND = 'native';

interface TestEnvironment {
  readonly name: string;
  readonly backendName: string;
  readonly isDataSync: boolean;
}

interface Constraints {
  readonly predicate?: (environment: TestEnvironment) => boolean;
}

const ENVIRONMENT: TestEnvironment = { name: BACKEND, backendName: BACKEND, isDataSync: true };

export const ALL_ENVS: Constraints = {};
export const NODE_ENVS: Constraints = { predicate: () => true };
export const SYNC_BACKEND_ENVS: Constraints = { predicate: ({ isDataSync }) => isDataSync };
export const HAS_NODE_WORKER: Constraints = { predicate: () => true };
export const HAS_WORKER: Constraints = { predicate: () => false };
export const BROWSER_ENVS: Constraints = { predicate: () => false };
export const CHROME_ENVS: Constraints = { predicate: () => false };

export function describeWithFlags(
  name: string,
  constraints: Constraints,
  tests: (environment: TestEnvironment) => void,
): void {
  if (constraints.predicate?.(ENVIRONMENT) === false) return;
  describe(name, () => {
    beforeAll(async () => {
      // Specs count on an engine without tensors. This disposes of the backend too; its factory makes the next one.
      tf.engine().reset();
      // Has the engine look for buffers that a kernel lost.
      tf.env().set('IS_TEST', true);
      await tf.setBackend(BACKEND);
    });
    beforeEach(() => {
      expect(tf.getBackend()).toBe(BACKEND);
      tf.engine().startScope();
    });
    afterEach(() => {
      tf.engine().endScope();
      tf.engine().disposeVariables();
      expect(tf.getBackend()).toBe(BACKEND);
    });
    afterAll(() => {
      vi.restoreAllMocks();
    });
    tests(ENVIRONMENT);
  });
}
