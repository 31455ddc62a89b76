/** Kernels on the GPU: a source file is compiled (or found in the cache) and loaded when one of its kernels is first asked for. */
import type { Signature } from '../signatures.js';
import { dropCached, readCached, writeCached } from './compile-cache.js';
import type { Context } from './context.js';
import type { CompilationUnit, KernelLibrary } from './kernel-library.js';
import type { Nvrtc } from './nvrtc.js';
import { OutValue } from './prototype.js';

/** CUfunction_attribute. */
const FUNCTION_ATTRIBUTES = { maxThreads: 0, staticSharedBytes: 1, localBytes: 3, registers: 4 } as const;
const MAX_DYNAMIC_SHARED_BYTES = 8;
/** What a block gets without asking. */
const DEFAULT_SHARED_BYTES = 48 * 1024;

/** What the compiler made of a kernel; `localBytes` of a thread beyond its own arrays are spilled registers. */
export type KernelAttributes = Readonly<Record<keyof typeof FUNCTION_ATTRIBUTES, number>>;

export class KernelFunction {
  private allowedSharedBytes = DEFAULT_SHARED_BYTES;

  constructor(
    private readonly context: Context,
    readonly handle: number,
    readonly signature: Signature,
  ) {}

  /** Lets a launch use that much dynamic shared memory. @throws BackendError where the GPU has less */
  allowSharedBytes(bytes: number): void {
    if (bytes <= this.allowedSharedBytes) return;
    const { driver } = this.context;
    const status = driver.calls.cuFuncSetAttribute(this.handle, MAX_DYNAMIC_SHARED_BYTES, bytes);
    const most = this.context.properties.sharedBytesPerBlock;
    const meaning = `giving ${this.signature.name} ${bytes} bytes of shared memory a block, of at most ${most}`;
    driver.check(status, 'cuFuncSetAttribute', meaning);
    this.allowedSharedBytes = bytes;
  }

  attributes(): KernelAttributes {
    const { driver } = this.context;
    const out = new OutValue();
    const entries = Object.entries(FUNCTION_ATTRIBUTES).map(([key, attribute]) => {
      const status = driver.calls.cuFuncGetAttribute(out.bytes, attribute, this.handle);
      driver.check(status, 'cuFuncGetAttribute', `asking for ${key} of ${this.signature.name}`);
      return [key, out.int32] as const;
    });
    return Object.fromEntries(entries) as Record<keyof typeof FUNCTION_ATTRIBUTES, number>;
  }
}

export class Modules {
  private readonly handles: number[] = [];
  private readonly functions = new Map<string, KernelFunction>();
  private readonly loaded = new Set<CompilationUnit>();
  /** Units that were compiled here rather than found in the cache. */
  compiled = 0;

  constructor(
    private readonly context: Context,
    private readonly nvrtc: Nvrtc,
    readonly library: KernelLibrary,
  ) {}

  /** @throws BackendError E_KERNEL_UNKNOWN, E_COMPILE_FAILED */
  get(kernel: string): KernelFunction {
    const found = this.functions.get(kernel);
    if (found !== undefined) return found;
    this.load(this.library.unitOf(kernel));
    const loaded = this.functions.get(kernel);
    if (loaded === undefined) throw new TypeError(`${kernel} is not in its own file`);
    return loaded;
  }

  /** Compiles and loads everything now, for a self-test or before a clock starts. */
  loadAll(): void {
    for (const unit of this.library.all) this.load(unit);
  }

  dispose(): void {
    const { driver } = this.context;
    for (const handle of this.handles.splice(0)) {
      driver.check(driver.calls.cuModuleUnload(handle), 'cuModuleUnload', 'unloading kernels');
    }
    this.functions.clear();
    this.loaded.clear();
  }

  private load(unit: CompilationUnit): void {
    if (this.loaded.has(unit)) return;
    const module = this.loadImage(unit);
    this.handles.push(module);
    const { driver } = this.context;
    const out = new OutValue();
    for (const signature of unit.signatures) {
      const status = driver.calls.cuModuleGetFunction(out.bytes, module, signature.name);
      driver.check(status, 'cuModuleGetFunction', `looking for ${signature.name} in ${unit.name}`);
      this.functions.set(signature.name, new KernelFunction(this.context, out.uint64, signature));
    }
    this.loaded.add(unit);
  }

  private loadImage(unit: CompilationUnit): number {
    const { sm } = this.context.properties;
    const { source, options, name } = unit;
    const { headers } = this.library;
    const { version, library } = this.nvrtc;
    const identity = [version, library.path, this.nvrtc.target(sm), options, source, [...headers]];
    const found = readCached(identity);
    if (found !== undefined) {
      const module = this.tryImage(found);
      if (module !== undefined) return module;
      dropCached(identity);
    }
    this.compiled++;
    const { image } = this.nvrtc.compile({ name, source, headers, options, sm });
    writeCached(identity, image);
    const { driver } = this.context;
    const out = new OutValue();
    driver.check(driver.calls.cuModuleLoadData(out.bytes, image), 'cuModuleLoadData', `loading the kernels of ${name}`);
    return out.uint64;
  }

  /** A cached image may be damaged. */
  private tryImage(image: Uint8Array): number | undefined {
    const out = new OutValue();
    return this.context.driver.calls.cuModuleLoadData(out.bytes, image) === 0 ? out.uint64 : undefined;
  }
}
