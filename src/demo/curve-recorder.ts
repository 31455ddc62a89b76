import { Progress } from '../base/progress.js';
import type { StageProgress } from './foundation/stage.js';
import type { CurvePoint, StageCurve } from './report/report-data.js';

/** Collects the stages' curves for the report and shows one progress line a foundation stage. */
export class CurveRecorder {
  private readonly recorded = new Map<string, { points: CurvePoint[]; startedSec: number; endedSec: number }>();
  private line: { stage: string; progress: Progress; accuracy: string } | undefined;

  /** Records a step and shows it; a stage's length is not known, its gate is. */
  add(progress: StageProgress): void {
    this.record(progress);
    if (this.line?.stage !== progress.stage) {
      this.finish();
      this.line = {
        stage: progress.stage,
        progress: new Progress(progress.stage, { total: progress.maxSteps }, progress.step),
        accuracy: '',
      };
    }
    if (progress.accuracy !== undefined)
      this.line.accuracy = `accuracy ${progress.accuracy.toFixed(3)} (gate ${progress.gate})`;
    this.line.progress.update(progress.step, `loss ${progress.loss.toFixed(3)}  ${this.line.accuracy}`);
  }

  record({ stage, step, loss, accuracy }: Pick<StageProgress, 'stage' | 'step' | 'loss' | 'accuracy'>): void {
    const now = performance.now() / 1000;
    const held = this.recorded.get(stage) ?? { points: [], startedSec: now, endedSec: now };
    held.points.push({ step, loss, ...(accuracy === undefined ? {} : { accuracy }) });
    held.endedSec = now;
    this.recorded.set(stage, held);
  }

  finish(): void {
    this.line?.progress.end();
    this.line = undefined;
  }

  curves(): StageCurve[] {
    return [...this.recorded].map(([name, { points, startedSec, endedSec }]) => ({
      name,
      points,
      seconds: endedSec - startedSec,
    }));
  }
}
