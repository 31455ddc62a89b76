/** The course of a run as its events.jsonl tells it: all that reports show, across interruptions. */
import { open } from 'node:fs/promises';
import { isRecord } from '../../base/config-layer.js';
import { Curve } from './curve.js';
import {
  EndSchema,
  FailureSchema,
  type ProbePoint,
  ProbeSchema,
  type RunEnd,
  type RunFailure,
  type RunStart,
  StartSchema,
  type ValidationPoint,
  ValidationSchema,
} from './run-events.js';

/** Columns of the curve of steps. */
export const STEP_COLUMNS = {
  loss: 0,
  learningRate: 1,
  gradNorm: 2,
  tokensPerSec: 3,
  clipsPerSec: 4,
  waitShare: 5,
} as const;

const CHUNK_BYTES = 2 ** 20;
const NEW_LINE = 10;

type Event = Readonly<Record<string, unknown>>;

export class RunHistory {
  readonly steps = new Curve();
  readonly starts: RunStart[] = [];
  validations: ValidationPoint[] = [];
  probes: ProbePoint[] = [];
  /** Of the last start; null while it runs, and when it was killed. */
  end: RunEnd | null = null;
  /** Of the last start. */
  failure: RunFailure | null = null;
  lastStep = 0;
  /** Of all steps, with those that an interruption made the run do twice. */
  readonly spent = { seconds: 0, tokens: 0, clips: 0, waitSec: 0 };
  private offset = 0;
  private rest = Buffer.alloc(0);

  /** @param path events.jsonl */
  constructor(private readonly path: string) {}

  /** Reads what was written since the last call. Lines that a killed run left incomplete are passed over. */
  async update(): Promise<void> {
    const file = await open(this.path, 'r');
    try {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      for (;;) {
        const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, this.offset);
        if (bytesRead === 0) return;
        this.offset += bytesRead;
        this.take(Buffer.concat([this.rest, chunk.subarray(0, bytesRead)]));
      }
    } finally {
      await file.close();
    }
  }

  private take(bytes: Buffer): void {
    const end = bytes.lastIndexOf(NEW_LINE);
    this.rest = Buffer.from(bytes.subarray(end + 1));
    for (const line of end === -1 ? [] : bytes.toString('utf8', 0, end).split('\n')) {
      const event = parsed(line);
      if (event !== undefined) this.add(event);
    }
  }

  private add(event: Event): void {
    switch (event['event']) {
      case 'start': {
        const { success, data } = StartSchema.safeParse(event);
        if (success) this.begin(data);
        break;
      }
      case 'step':
        this.addStep(event);
        break;
      case 'validation': {
        const { success, data } = ValidationSchema.safeParse(event);
        if (success) this.validations.push(data);
        break;
      }
      case 'probe': {
        const { success, data } = ProbeSchema.safeParse(event);
        if (success) this.probes.push(data);
        break;
      }
      case 'end':
        this.end = EndSchema.safeParse(event).data ?? null;
        break;
      case 'failed':
        this.failure = FailureSchema.safeParse(event).data ?? null;
    }
  }

  /** What an interrupted run did after its last checkpoint is done again. */
  private begin(start: RunStart): void {
    const { firstStep } = start;
    this.starts.push(start);
    this.end = null;
    this.failure = null;
    this.steps.truncate(firstStep);
    this.validations = this.validations.filter(({ step }) => step <= firstStep);
    this.probes = this.probes.filter(({ step }) => step <= firstStep);
    this.lastStep = firstStep;
  }

  private addStep(event: Event): void {
    const number = (key: string) => {
      const value = event[key];
      return typeof value === 'number' ? value : Number.NaN;
    };
    const step = number('step');
    const seconds = number('seconds');
    const tokens = number('tokens');
    const clips = number('clips');
    const waitSec = number('dataWaitSec');
    if (!Number.isSafeInteger(step)) return;
    this.steps.add(step, [
      ...[number('loss'), number('learningRate'), number('gradNorm')],
      ...[tokens / seconds, clips / seconds, waitSec / seconds],
    ]);
    this.lastStep = step;
    this.spent.seconds += seconds;
    this.spent.tokens += tokens;
    this.spent.clips += clips;
    this.spent.waitSec += waitSec;
  }
}

function parsed(line: string): Event | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
