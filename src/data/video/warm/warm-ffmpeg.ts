/** Runs ffmpeg commands as forks of one process that has loaded its libraries already: see preload-source.ts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { finished, type Writable } from 'node:stream';
import type { FfmpegRun } from '../run-ffmpeg.js';
import { buildPreload } from './build-preload.js';

/** `<id, 10 digits> <channel>\n` */
const HEAD_BYTES = 13;
const START_TIMEOUT_MS = 10_000;
/** Exit codes of a fork that never became ffmpeg. */
const NOT_STARTED = [250, 251];

interface Running {
  readonly sink: Writable;
  readonly onLine: (line: string) => void;
  readonly sockets: Set<Socket>;
  /** Channels whose end has come. */
  closed: number;
  killed: boolean;
  ended: { readonly code: number; readonly signal: number } | undefined;
  failure: Error | undefined;
  readonly resolve: (failure: Error | undefined) => void;
}

export class WarmFfmpeg {
  private readonly running = new Map<number, Running>();
  private next = 0;
  private isOver = false;

  private constructor(
    private readonly child: ChildProcess,
    listener: Server,
    folder: string,
  ) {
    child.once('exit', () => {
      this.isOver = true;
      listener.close();
      void rm(folder, { recursive: true, force: true });
      for (const id of this.running.keys()) this.settle(id, unavailable('the process that forks ffmpeg has ended'));
    });
    child.stdin?.on('error', () => child.kill('SIGKILL'));
  }

  /** False once its process has ended. */
  get isAlive(): boolean {
    return !this.isOver;
  }

  /**
   * @throws Error where this ffmpeg cannot be forked: a wrapper script, a static build, libraries that start threads, another
   *   system than Linux with glibc, no C++ compiler
   */
  static async start(binary: string): Promise<WarmFfmpeg> {
    if (process.platform !== 'linux') throw unavailable(`on ${process.platform}`);
    const preload = [await buildPreload(), process.env['LD_PRELOAD']].filter(Boolean).join(':');
    // Only this user may connect.
    const folder = await mkdtemp(join(tmpdir(), 'mimic-ffmpeg-'));
    const path = join(folder, 's');
    const listener = createServer({ pauseOnConnect: false });
    try {
      // sockaddr_un holds 108 bytes.
      if (Buffer.byteLength(path) > 100) throw unavailable(`${path} is too long for a socket`);
      listener.listen(path).unref();
      await once(listener, 'listening');
      const env = { ...process.env, LD_PRELOAD: preload, MIMIC_FFMPEG_SOCKET: path, OPENBLAS_NUM_THREADS: '1' };
      const child = spawn(binary, ['-version'], { env, stdio: ['pipe', 'pipe', 'ignore'] });
      const lines = createInterface({ input: child.stdout });
      const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
      const said = await new Promise<string>((resolve, reject) => {
        child.once('error', reject);
        lines.once('line', resolve);
        lines.once('close', () => resolve(''));
      }).finally(() => clearTimeout(timer));
      if (said !== 'READY') {
        child.kill('SIGKILL');
        throw unavailable(`${binary} cannot be forked`);
      }
      const warm = new WarmFfmpeg(child, listener, folder);
      lines.on('line', (line) => warm.ended(line));
      listener.on('connection', (socket) => warm.connected(socket));
      // An idle one keeps no process alive; when ours ends, its standard input does.
      for (const handle of [child, child.stdin, child.stdout]) if (handle !== null && 'unref' in handle) unref(handle);
      return warm;
    } catch (error) {
      listener.close();
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** As `runFfmpeg`: `sink` gets standard output, `onLine` the log line by line. */
  run(args: readonly string[], sink: Writable, onLine: (line: string) => void): FfmpegRun {
    const id = this.next++;
    const exit = new Promise<Error | undefined>((resolve) => {
      const parts = { sink, onLine, sockets: new Set<Socket>(), closed: 0, killed: false, resolve };
      this.running.set(id, { ...parts, ended: undefined, failure: undefined });
    });
    sink.once('error', (error) => {
      const run = this.running.get(id);
      if (run === undefined) return;
      run.failure ??= error;
      this.kill(id);
    });
    if (this.isOver) this.settle(id, unavailable('the process that forks ffmpeg has ended'));
    else {
      // Waiting for it is work.
      this.child.ref();
      const body = Buffer.from(args.map((arg) => `${arg}\0`).join(''));
      this.child.stdin?.write(Buffer.concat([Buffer.from(`R ${id} ${body.length}\n`), body]));
    }
    return { exit, kill: () => this.kill(id) };
  }

  dispose(): void {
    this.child.stdin?.end();
  }

  private kill(id: number): void {
    const run = this.running.get(id);
    if (run === undefined) return;
    run.killed = true;
    if (run.ended === undefined) this.child.stdin?.write(`K ${id}\n`);
    else this.check(id, run);
  }

  private connected(socket: Socket): void {
    let head = Buffer.alloc(0);
    socket.on('error', () => undefined);
    const onData = (chunk: Buffer) => {
      head = Buffer.concat([head, chunk]);
      if (head.length < HEAD_BYTES) return;
      socket.off('data', onData).pause();
      const [id = -1, channel] = head.toString('latin1', 0, HEAD_BYTES).split(' ').map(Number);
      const run = this.running.get(id);
      if (run === undefined) {
        socket.destroy();
        return;
      }
      run.sockets.add(socket);
      if (head.length > HEAD_BYTES) socket.unshift(head.subarray(HEAD_BYTES));
      this.read(id, run, socket, channel === 1);
    };
    socket.on('data', onData);
  }

  private read(id: number, run: Running, socket: Socket, isOutput: boolean): void {
    const closed = () => {
      run.closed++;
      this.check(id, run);
    };
    if (isOutput) {
      socket.pipe(run.sink);
      finished(run.sink, { readable: false }, (error) => {
        if (error) run.failure ??= error;
        closed();
      });
    } else {
      const lines = createInterface({ input: socket });
      lines.on('line', run.onLine);
      lines.once('close', closed);
    }
    socket.resume();
  }

  private ended(line: string): void {
    const [kind, id = -1, code = 0, signal = 0] = line.split(' ').map((word, i) => (i === 0 ? 0 : Number(word)));
    const run = this.running.get(id);
    if (kind === undefined || run === undefined) return;
    run.ended = { code, signal };
    this.check(id, run);
  }

  /** It is over when its process is gone and everything it wrote has been read, which nobody waits for after a kill. */
  private check(id: number, { ended, closed, killed, failure }: Running): void {
    if (ended === undefined) return;
    const { code, signal } = ended;
    if (NOT_STARTED.includes(code)) this.settle(id, unavailable('no process could be forked'));
    else if (killed) this.settle(id, failure ?? new Error('ffmpeg was killed'));
    else if (closed === 2) {
      const problem =
        signal > 0 ? `was killed with signal ${signal}` : code > 0 ? `exited with code ${code}` : undefined;
      this.settle(id, failure ?? (problem === undefined ? undefined : new Error(`ffmpeg ${problem}`)));
    }
  }

  private settle(id: number, failure: Error | undefined): void {
    const run = this.running.get(id);
    if (run === undefined) return;
    this.running.delete(id);
    if (this.running.size === 0) this.child.unref();
    for (const socket of run.sockets) socket.destroy();
    run.resolve(failure);
  }
}

function unref(handle: object): void {
  if ('unref' in handle && typeof handle.unref === 'function') handle.unref();
}

/** With the mark of a process that the system cannot start, as whoever reads it knows it. */
function unavailable(why: string): Error {
  return Object.assign(new Error(`no warm ffmpeg: ${why}`), { syscall: 'fork' });
}
