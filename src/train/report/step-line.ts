import { formatBytes } from '../../base/format.js';
import type { TuneStep } from '../tune.js';
import type { MemoryUse } from './memory-use.js';

/** What the progress line says of a step, the most important first: a narrow terminal drops from the end. */
export function stepLine(
  step: Omit<TuneStep, 'validation' | 'badVideos'>,
  { lossMean, memory, skipped }: { readonly lossMean: number; readonly memory: MemoryUse; readonly skipped: number },
): string[] {
  const { loss, learningRate, gradNorm, tokens, clips, seconds, dataWaitSec } = step;
  return [
    `loss ${loss.toFixed(3)} (mean ${lossMean.toFixed(3)})`,
    `lr ${learningRate.toExponential(1)}`,
    `gnorm ${gradNorm.toFixed(2)}`,
    `${Math.round(tokens / seconds)} tok/s`,
    `mem ${formatBytes(memory.usedBytes)}/${formatBytes(memory.limitBytes)}`,
    `wait ${((100 * dataWaitSec) / seconds).toFixed(0)}%`,
    `skipped ${skipped}`,
    `${(clips / seconds).toFixed(1)} clips/s`,
  ];
}
