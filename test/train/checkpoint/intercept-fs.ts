/** Calls a hook before each change that node:fs/promises makes, so that a test can fail or stop a program there. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/** @param operation e.g. `rename`; a throw makes the operation fail with that error */
export type FsHook = (operation: string, path: string) => void;

const FUNCTIONS = ['mkdir', 'open', 'rename', 'rm', 'symlink', 'copyFile', 'writeFile'] as const;

/** The functions differ in their arguments; the wrapper passes on what came. */
type AnyFunction = (this: unknown, ...args: unknown[]) => Promise<unknown>;

/** @returns a function that ends the interception */
export async function interceptFs(hook: FsHook): Promise<() => void> {
  const restores: (() => void)[] = [];
  const wrap = (owner: object, name: string, wrapper: (original: AnyFunction) => AnyFunction) => {
    const original = Reflect.get(owner, name) as AnyFunction;
    Reflect.set(owner, name, wrapper(original));
    restores.push(() => Reflect.set(owner, name, original));
  };

  const handle = await fs.promises.open('/dev/null', 'r');
  const prototype: object = Object.getPrototypeOf(handle);
  await handle.close();
  for (const name of FUNCTIONS) {
    wrap(fs.promises, name, (original) => async (...args) => {
      hook(name, String(args[0]));
      return original.apply(fs.promises, args);
    });
  }
  wrap(
    prototype,
    'sync',
    (original) =>
      async function (...args) {
        hook('sync', '');
        return original.apply(this, args);
      },
  );
  wrap(
    prototype,
    'writeFile',
    (original) =>
      async function (data, ...rest) {
        hook('write', '');
        const bytes = typeof data === 'string' ? Buffer.from(data) : (data as Uint8Array);
        const half = bytes.byteLength >> 1;
        await original.call(this, bytes.subarray(0, half), ...rest);
        hook('half-written', '');
        return original.call(this, bytes.subarray(half), ...rest);
      },
  );
  syncBuiltinESMExports();
  return () => {
    for (const restore of restores) restore();
    syncBuiltinESMExports();
  };
}
