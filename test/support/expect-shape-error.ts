import { expect } from 'vitest';
import { ShapeError } from '../../src/base/errors.js';

/** `run` throws a ShapeError with exactly this message. */
export function expectShapeError(run: () => unknown, message: string): void {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(ShapeError);
  expect(thrown).toMatchObject({ code: 'E_SHAPE', message });
}
