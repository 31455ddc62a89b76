import type { Scores } from '../../eval/score.js';
import type { DemoScores, SampleComment } from '../evaluate-demo.js';
import type { StageResult } from '../foundation/stage.js';

export interface CurvePoint {
  readonly step: number;
  readonly loss: number;
  readonly accuracy?: number;
}

export interface StageCurve {
  readonly name: string;
  readonly points: readonly CurvePoint[];
  readonly seconds: number;
}

export interface DemoReport {
  readonly seed: number;
  readonly quick: boolean;
  readonly backend: { readonly name: string; readonly reason: string };
  readonly seconds: number;
  /** Where the time went, by name. */
  readonly timings: Readonly<Record<string, number>>;
  readonly clips: Readonly<Record<string, number>>;
  readonly stages: readonly StageResult[];
  readonly curves: readonly StageCurve[];
  readonly scores: DemoScores;
  readonly comments: readonly SampleComment[];
}

/** What demo/report.json holds: the figures scripts and tests read. */
export function reportJson(report: DemoReport): object {
  const { model, textOnly, majority, questions } = report.scores;
  return {
    accuracy: accuracyOf(model.tasks),
    ...axesOf(model),
    macro: model.macro.accuracy,
    micro: model.micro.accuracy,
    intervals: { tasks: model.tasks, axes: model.axes, macro: model.macro },
    baselines: {
      chance: 0.25,
      majority: { accuracy: accuracyOf(majority.tasks), ...axesOf(majority), macro: majority.macro.accuracy },
      textOnly: { accuracy: accuracyOf(textOnly.tasks), ...axesOf(textOnly), macro: textOnly.macro.accuracy },
    },
    questions,
    clips: report.clips,
    seed: report.seed,
    quick: report.quick,
    seconds: report.seconds,
    timings: report.timings,
    backend: report.backend,
    stages: report.stages,
    comments: report.comments.map(({ clip, comments }) => ({
      video: clip.record.video_path,
      facts: clip.facts,
      comments,
    })),
  };
}

function accuracyOf(slices: Scores['tasks']): Record<string, number> {
  return Object.fromEntries(Object.entries(slices).map(([name, { accuracy }]) => [name, accuracy]));
}

function axesOf(scores: Scores) {
  const { spatial, temporal, style } = scores.axes;
  return { spatial: spatial?.accuracy ?? null, temporal: temporal?.accuracy ?? null, style: style?.accuracy ?? null };
}
