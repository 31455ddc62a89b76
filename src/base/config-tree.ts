/** The merged settings of all layers, before validation, with the place each came from. */
import { type Assignment, type ConfigPath, isRecord } from './config-layer.js';

export const pathKey = (path: ConfigPath): string => path.join('.');

type Container = Record<string | number, unknown>;

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null;
}

/** A plain assignment to `__proto__` would change the prototype; defining it keeps it a key, to be refused as unknown. */
function define(container: Container, key: string | number, value: unknown): void {
  Object.defineProperty(container, key, { value, enumerable: true, configurable: true, writable: true });
}

export class ConfigTree {
  readonly root: Record<string, unknown> = {};
  private readonly origins = new Map<string, string>();

  assign({ path, value, origin }: Assignment): void {
    const key = path.at(-1);
    if (key === undefined) return;
    let parent: Container = this.root;
    for (const [depth, segment] of path.slice(0, -1).entries()) {
      let child = Object.hasOwn(parent, segment) ? parent[segment] : undefined;
      if (!isContainer(child)) {
        child = {};
        define(parent, segment, child);
        this.origins.set(pathKey(path.slice(0, depth + 1)), origin);
      }
      parent = child as Container;
    }
    const keepsSection = isRecord(value) && Object.hasOwn(parent, key) && isRecord(parent[key]);
    if (!keepsSection) {
      this.forgetBelow(path);
      define(parent, key, isContainer(value) ? structuredClone(value) : value);
    }
    this.origins.set(pathKey(path), origin);
  }

  /** What a settled value replaces no longer has a place of its own. */
  private forgetBelow(path: ConfigPath): void {
    const prefix = `${pathKey(path)}.`;
    for (const known of this.origins.keys()) if (known.startsWith(prefix)) this.origins.delete(known);
  }

  /** Where this very key was written, if it was. */
  originOf(path: ConfigPath): string | undefined {
    return this.origins.get(pathKey(path));
  }

  /** Where this key, or else the nearest section around it, was written. */
  placeOf(path: ConfigPath): string | undefined {
    for (let depth = path.length; depth > 0; depth--) {
      const origin = this.originOf(path.slice(0, depth));
      if (origin !== undefined) return origin;
    }
    return undefined;
  }

  valueAt(path: ConfigPath): unknown {
    let node: unknown = this.root;
    for (const segment of path)
      node = isContainer(node) && Object.hasOwn(node, segment) ? node[segment as keyof typeof node] : undefined;
    return node;
  }
}
