/** The stub libraries called straight through koffi, and what only the stub offers: its log, its reasons, its options. */
import { join } from 'node:path';
import { address, type LibraryHandle, load } from 'koffi';
import { buildStubCuda } from './build-stub.js';

/** A value for a kernel's parameter list. */
export type KernelValue =
  | { readonly pointer: number }
  | { readonly i64: number }
  | { readonly i32: number }
  | { readonly f32: number };

export interface LaunchShape {
  readonly grid: readonly [number, number?, number?];
  readonly block: readonly [number, number?, number?];
  readonly sharedBytes?: number;
}

export type DriverOption =
  | 'MIMIC_STUB_SM'
  | 'MIMIC_STUB_MEMORY_BYTES'
  | 'MIMIC_STUB_EAGER'
  | 'MIMIC_STUB_REVERSE'
  | 'MIMIC_STUB_DRIVER_VERSION'
  | 'MIMIC_STUB_DEVICES';

export interface LoggedLaunch {
  readonly kernel: string;
  readonly grid: readonly number[];
  readonly block: readonly number[];
  readonly sharedBytes: number;
}

/** A call that failed; `reason` is the stub's own explanation. */
export class StubError extends Error {
  constructor(
    readonly call: string,
    readonly status: number,
    readonly reason: string,
  ) {
    super(`${call} = ${status}: ${reason}`);
    this.name = 'StubError';
  }
}

const HANDLE_BYTES = 8;

type StubCall = ReturnType<LibraryHandle['func']>;

/** The library's controls: usable beside any other code that has loaded the same stub. */
export class StubControl {
  private readonly failure: StubCall;
  private readonly configured: StubCall;
  private readonly launches: StubCall;
  private readonly used: StubCall;
  private readonly allocations: StubCall;
  private readonly pending: StubCall;

  constructor(driver: LibraryHandle) {
    this.failure = driver.func('const char *stub_last_failure()');
    this.configured = driver.func('void stub_configure(const char *, const char *)');
    this.launches = driver.func('const char *stub_take_launches()');
    this.used = driver.func('size_t stub_used_bytes()');
    this.allocations = driver.func('size_t stub_allocations()');
    this.pending = driver.func('size_t stub_pending_work()');
  }

  static async open(): Promise<StubControl> {
    const { folder } = await buildStubCuda();
    return new StubControl(load(join(folder, 'libcuda.so.1')));
  }

  /** Why the last failing call failed. */
  lastFailure(): string {
    return String(this.failure());
  }

  /** Takes the place of the environment variable; an empty value gives it back. */
  configure(option: DriverOption, value: string): void {
    this.configured(option, value);
  }

  /** The launches since the last call, in the order in which they were queued. */
  takeLaunches(): LoggedLaunch[] {
    const lines = String(this.launches()).split('\n').filter(Boolean);
    return lines.map((line) => {
      const [kernel = '', ...rest] = line.split(' ');
      const [gx = 0, gy = 0, gz = 0, bx = 0, by = 0, bz = 0, sharedBytes = 0] = rest.map(Number);
      return { kernel, grid: [gx, gy, gz], block: [bx, by, bz], sharedBytes };
    });
  }

  usedBytes(): number {
    return Number(this.used());
  }
  allocationCount(): number {
    return Number(this.allocations());
  }
  /** Pieces of work that wait for someone to synchronise. */
  pendingWork(): number {
    return Number(this.pending());
  }
}

/** The fewest calls that a test of the stub itself needs. Handles and addresses are plain numbers. */
export class StubDriver {
  readonly control: StubControl;
  private readonly functions = new Map<string, StubCall>();

  private constructor(
    private readonly driver: LibraryHandle,
    private readonly compiler: LibraryHandle,
    private readonly blas: LibraryHandle,
  ) {
    this.control = new StubControl(driver);
  }

  static async open(): Promise<StubDriver> {
    const { folder } = await buildStubCuda();
    const [driver, compiler, blas] = ['libcuda.so.1', 'libnvrtc.so.12', 'libcublasLt.so.12'].map((name) =>
      load(join(folder, name)),
    );
    if (driver === undefined || compiler === undefined || blas === undefined) throw new Error('three libraries');
    return new StubDriver(driver, compiler, blas);
  }

  private function(name: string, types: readonly string[]): StubCall {
    const key = `${name}(${types.join()})`;
    let found = this.functions.get(key);
    if (found === undefined) {
      const library = name.startsWith('nvrtc') ? this.compiler : name.startsWith('cublas') ? this.blas : this.driver;
      found = library.func(name, 'int', [...types]);
      this.functions.set(key, found);
    }
    return found;
  }

  /** A call's status. `types` are koffi's, as 'uint64' and 'void *'. */
  status(name: string, types: readonly string[], ...values: unknown[]): number {
    return this.function(name, types)(...values);
  }

  /** @throws StubError unless the status is 0 */
  call(name: string, types: readonly string[], ...values: unknown[]): void {
    const status = this.status(name, types, ...values);
    if (status !== 0) throw new StubError(name, status, this.control.lastFailure());
  }

  /** The handle, address or size that a call stores through its first parameter. */
  out(name: string, types: readonly string[], ...values: unknown[]): number {
    const place = Buffer.alloc(HANDLE_BYTES);
    this.call(name, ['void *', ...types], place, ...values);
    return Number(place.readBigUInt64LE());
  }

  /** Initialises the driver and makes the primary context current. */
  start(): number {
    this.call('cuInit', ['uint32'], 0);
    const context = this.out('cuDevicePrimaryCtxRetain', ['int32'], 0);
    this.call('cuCtxSetCurrent', ['uint64'], context);
    return context;
  }

  /** Forgets everything, also the error of a failed kernel. */
  reset(): void {
    this.call('cuDevicePrimaryCtxReset_v2', ['int32'], 0);
  }

  /** An image for cuModuleLoadData. @throws StubError with the compiler's log */
  compile(source: string, options: readonly string[] = [], headers: Readonly<Record<string, string>> = {}): Buffer {
    const names = Object.keys(headers);
    const program = this.out(
      'nvrtcCreateProgram',
      ['const char *', 'const char *', 'int32', 'const char **', 'const char **'],
      source,
      'test.cu',
      names.length,
      Object.values(headers),
      names,
    );
    const all = ['--gpu-architecture=sm_86', ...options];
    const status = this.status('nvrtcCompileProgram', ['uint64', 'int32', 'const char **'], program, all.length, all);
    const bytes = (what: string) => {
      const size = Buffer.alloc(HANDLE_BYTES);
      this.call(`nvrtcGet${what}Size`, ['uint64', 'void *'], program, size);
      const text = Buffer.alloc(Number(size.readBigUInt64LE()));
      this.call(`nvrtcGet${what}`, ['uint64', 'void *'], program, text);
      return text;
    };
    if (status !== 0) throw new StubError('nvrtcCompileProgram', status, bytes('ProgramLog').toString());
    const image = bytes('CUBIN');
    const handle = Buffer.alloc(HANDLE_BYTES);
    handle.writeBigUInt64LE(BigInt(program));
    this.call('nvrtcDestroyProgram', ['void *'], handle);
    return image;
  }

  load(image: Buffer): number {
    return this.out('cuModuleLoadData', ['void *'], image);
  }
  kernel(module: number, name: string): number {
    return this.out('cuModuleGetFunction', ['uint64', 'const char *'], module, name);
  }

  alloc(bytes: number): number {
    return this.out('cuMemAlloc_v2', ['uint64'], bytes);
  }
  free(at: number): void {
    this.call('cuMemFree_v2', ['uint64'], at);
  }
  write(at: number, values: NodeJS.ArrayBufferView): void {
    this.call('cuMemcpyHtoD_v2', ['uint64', 'void *', 'uint64'], at, values, values.byteLength);
  }
  read<T extends NodeJS.ArrayBufferView>(at: number, into: T): T {
    this.call('cuMemcpyDtoH_v2', ['void *', 'uint64', 'uint64'], into, at, into.byteLength);
    return into;
  }
  /** Device memory that holds these values. */
  put(values: NodeJS.ArrayBufferView): number {
    const at = this.alloc(values.byteLength);
    this.write(at, values);
    return at;
  }

  launch(kernel: number, shape: LaunchShape, values: readonly KernelValue[], stream = 0): void {
    const cells = Buffer.alloc(8 * Math.max(1, values.length));
    const table = Buffer.alloc(8 * Math.max(1, values.length));
    const first = address(cells);
    for (const [i, value] of values.entries()) {
      if ('pointer' in value) cells.writeBigUInt64LE(BigInt(value.pointer), 8 * i);
      else if ('i64' in value) cells.writeBigInt64LE(BigInt(value.i64), 8 * i);
      else if ('i32' in value) cells.writeInt32LE(value.i32, 8 * i);
      else cells.writeFloatLE(value.f32, 8 * i);
      table.writeBigUInt64LE(first + BigInt(8 * i), 8 * i);
    }
    const [gx, gy = 1, gz = 1] = shape.grid;
    const [bx, by = 1, bz = 1] = shape.block;
    const types = ['uint64', ...Array(7).fill('uint32'), 'uint64', 'void *', 'void *'];
    this.call('cuLaunchKernel', types, kernel, gx, gy, gz, bx, by, bz, shape.sharedBytes ?? 0, stream, table, null);
  }

  synchronize(): void {
    this.call('cuCtxSynchronize', []);
  }
}
