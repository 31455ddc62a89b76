/** What TF.js's specs expect of Jasmine, on top of vitest. */
import * as vitest from 'vitest';

/** A Jasmine spec or hook: it ends when it returns, when its promise settles, or when it calls `done`. */
type Body = (done: Done) => unknown;
interface Done {
  (): void;
  fail(reason?: unknown): void;
}

/** How a spec is to be registered. */
export type Verdict = 'run' | 'must fail';

let path: readonly string[] = [];

function withoutDone(body: Body): () => unknown {
  const noDone: Done = Object.assign(() => {}, { fail() {} });
  if (body.length === 0) return () => body(noDone);
  return () =>
    new Promise<void>((resolve, reject) => {
      body(Object.assign(() => resolve(), { fail: (reason?: unknown) => reject(reason ?? new Error('done.fail()')) }));
    });
}

/** vitest's describe, with the names of the enclosing ones kept for `it`. */
export function describe(name: string, body: () => unknown): void {
  const own = [...path, name.trim()];
  vitest.describe(name, async () => {
    const outer = path;
    path = own;
    await body();
    path = outer;
  });
}

const hook = (register: (body: () => Promise<void>) => void) => (body: Body) =>
  register(async () => {
    await withoutDone(body)();
  });

/**
 * Sets the global functions that spec files call.
 *
 * @param judge is asked once for each spec, by its names from the outermost `describe` on
 */
export function installJasmine(judge: (names: readonly string[]) => Verdict): void {
  Object.assign(globalThis, {
    describe,
    it: (name: string, body: Body) => {
      const register = judge([...path, name.trim()]) === 'run' ? vitest.it : vitest.it.fails;
      register(name, async () => {
        await withoutDone(body)();
      });
    },
    beforeAll: hook(vitest.beforeAll),
    beforeEach: hook(vitest.beforeEach),
    afterEach: hook(vitest.afterEach),
    afterAll: hook(vitest.afterAll),
    // `expect().nothing()` marks a spec that checks by throwing.
    expect: (...actual: unknown[]) => (actual.length === 0 ? { nothing() {} } : vitest.expect(actual[0])),
    // A spy that does nothing, as Jasmine's are by default; the enclosing suite restores the method.
    spyOn: (target: Console, method: 'warn') => vitest.vi.spyOn(target, method).mockReturnValue(undefined),
    jasmine: { DEFAULT_TIMEOUT_INTERVAL: 60_000 },
  });
}
