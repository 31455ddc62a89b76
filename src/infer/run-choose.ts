import { watchPhases } from '../base/phases.js';
import { LETTERS } from '../data/tasks/wording.js';
import { formatTable } from './format-table.js';
import { formatTimings, PhaseTimes, type Timings } from './phase-times.js';
import type { VideoSession } from './video-session.js';
import { type VideoOptions, withVideo } from './with-video.js';

export interface ChooseRequest {
  readonly question: string;
  readonly options: readonly string[];
  /** One JSON object instead of a table. */
  readonly json?: boolean | undefined;
  /** Adds the time of each stage and the process's peak memory. */
  readonly timings?: boolean | undefined;
}

/** `mimic choose`: one multiple-choice question about a video; the result goes to stdout. */
export async function runChoose(options: VideoOptions & ChooseRequest): Promise<void> {
  const times = options.timings === true ? new PhaseTimes() : undefined;
  const run = () =>
    withVideo(options, async (session) => {
      process.stdout.write(await chooseReport(session, options, () => times?.timings));
    });
  await (times === undefined ? run() : watchPhases(times, run));
}

/** The answer as it is printed. */
export async function chooseReport(
  session: VideoSession,
  request: ChooseRequest,
  takeTimings: () => Timings | undefined = () => undefined,
): Promise<string> {
  const { question, options, json } = request;
  const answer = await session.choose(question, options);
  const timings = takeTimings();
  if (json) return `${JSON.stringify(timings === undefined ? answer : { ...answer, timings })}\n`;
  const rows = options.map((option, i) => [
    `${i === answer.choice ? '>' : ' '} ${LETTERS[i]}. ${option}`,
    (answer.probabilities[i] ?? 0).toFixed(3),
  ]);
  const table = `${formatTable([question, 'probability'], rows)}\n`;
  return timings === undefined ? table : `${table}\n${formatTimings(timings)}\n`;
}
