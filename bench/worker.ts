/** A child process that answers JSON lines: each side of a comparison gets its own, so that memory can be told apart. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Our side of the comparisons of whole steps. */
export const STEP_WORKER = fileURLToPath(new URL('./step-worker.js', import.meta.url));

export interface Answer {
  readonly ms: number;
  readonly value: number;
  readonly startBytes: number;
  readonly peakBytes: number;
  readonly ready: string;
}

export class Worker {
  private readonly lines: AsyncIterableIterator<string>;
  private readonly reader: Interface;

  private constructor(
    private readonly child: ChildProcess,
    private readonly what: string,
    input: NodeJS.ReadableStream,
  ) {
    this.reader = createInterface({ input });
    this.lines = this.reader[Symbol.asyncIterator]();
  }

  /** Resolves when the child has said that it is ready. */
  static async start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Worker> {
    const child = spawn(command, [...args], { stdio: ['pipe', 'pipe', 'inherit'], env });
    const worker = new Worker(child, `${command} ${args[0] ?? ''}`, child.stdout);
    await worker.answer();
    return worker;
  }

  async ask(request: Record<string, unknown>): Promise<Answer> {
    this.child.stdin?.write(`${JSON.stringify(request)}\n`);
    return this.answer();
  }

  /** Asks for one timed run; ms. */
  sample(what: string): () => Promise<number> {
    return async () => (await this.ask({ do: what })).ms;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin?.end();
    this.reader.close();
    if (this.child.exitCode === null) await ended;
  }

  private async answer(): Promise<Answer> {
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done === true) throw new Error(`${this.what} ended before it answered`);
      // Libraries print lines of their own.
      if (value.startsWith('{')) return JSON.parse(value) as Answer;
    }
  }
}
