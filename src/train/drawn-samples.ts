import type { DrawnSample } from './training-data.js';

/** About 50 MB: an id, a label and a turn number each. */
const MAX_TOKENS = 4e6;

/**
 * Samples that were drawn for their length and will be drawn again to be trained on: kept until then, the oldest leave
 * first when there are too many.
 */
export class DrawnSamples {
  private readonly samples = new Map<string, DrawnSample>();
  private tokens = 0;

  constructor(private readonly maxTokens = MAX_TOKENS) {}

  /** What is kept under this key, which is then kept no longer; else what `draw` gives, which is kept. */
  take(epoch: number, index: number, draw: () => DrawnSample): DrawnSample {
    const key = `${epoch} ${index}`;
    const kept = this.samples.get(key);
    if (kept !== undefined) {
      this.remove(key, kept);
      return kept;
    }
    const sample = draw();
    this.samples.set(key, sample);
    this.tokens += sample.tokens.ids.length;
    for (const [oldest, value] of this.samples) {
      if (this.tokens <= this.maxTokens) break;
      this.remove(oldest, value);
    }
    return sample;
  }

  private remove(key: string, sample: DrawnSample): void {
    this.samples.delete(key);
    this.tokens -= sample.tokens.ids.length;
  }
}
