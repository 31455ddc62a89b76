import type { TokenSequence } from '../../src/infer/language-model.js';

export type NextLogits = (ids: readonly number[]) => Float32Array | Promise<Float32Array>;

/** A language model by arithmetic: the next logits are a function of all ids so far. Counts live sequences. */
export class MockSequence implements TokenSequence {
  private disposed = false;

  private constructor(
    readonly ids: number[],
    private readonly nextLogits: NextLogits,
    readonly live: { count: number; appended: number },
  ) {
    live.count++;
  }

  static start(nextLogits: NextLogits, ids: readonly number[] = []): MockSequence {
    return new MockSequence([...ids], nextLogits, { count: 0, appended: 0 });
  }

  get length(): number {
    return this.ids.length;
  }

  async append(ids: readonly number[]): Promise<Float32Array> {
    if (this.disposed) throw new Error('append on a disposed sequence');
    if (ids.length === 0) throw new Error('append without a token');
    this.ids.push(...ids);
    this.live.appended += ids.length;
    return this.nextLogits(this.ids);
  }

  fork(): MockSequence {
    if (this.disposed) throw new Error('fork of a disposed sequence');
    return new MockSequence([...this.ids], this.nextLogits, this.live);
  }

  dispose(): void {
    if (this.disposed) throw new Error('disposed twice');
    this.disposed = true;
    this.live.count--;
  }
}

/** Logits that make `id` certain. */
export function certain(id: number, vocabSize: number): Float32Array {
  const logits = new Float32Array(vocabSize).fill(-Infinity);
  logits[id] = 0;
  return logits;
}
