import { LETTERS } from '../data/tasks/wording.js';
import { formatTable } from './format-table.js';
import type { VideoSession } from './video-session.js';
import { type VideoOptions, withVideo } from './with-video.js';

export interface ChooseRequest {
  readonly question: string;
  readonly options: readonly string[];
  /** One JSON object instead of a table. */
  readonly json?: boolean | undefined;
}

/** `mimic choose`: one multiple-choice question about a video; the result goes to stdout. */
export function runChoose(options: VideoOptions & ChooseRequest): Promise<void> {
  return withVideo(options, async (session) => {
    process.stdout.write(await chooseReport(session, options));
  });
}

/** The answer as it is printed. */
export async function chooseReport(session: VideoSession, request: ChooseRequest): Promise<string> {
  const { question, options, json } = request;
  const answer = await session.choose(question, options);
  if (json) return `${JSON.stringify(answer)}\n`;
  const rows = options.map((option, i) => [
    `${i === answer.choice ? '>' : ' '} ${LETTERS[i]}. ${option}`,
    (answer.probabilities[i] ?? 0).toFixed(3),
  ]);
  return `${formatTable([question, 'probability'], rows)}\n`;
}
