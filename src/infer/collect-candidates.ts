import type { FinishReason } from './generate.js';
import type { CandidateEvent } from './video-session.js';

export interface CandidateText {
  readonly text: string;
  readonly finish: FinishReason;
}

/** Whole texts of candidates that follow each other. */
export async function collectCandidates(events: AsyncIterable<CandidateEvent>): Promise<CandidateText[]> {
  const candidates: CandidateText[] = [];
  let text = '';
  for await (const event of events) {
    if ('text' in event) {
      text += event.text;
    } else {
      candidates.push({ text, finish: event.finish });
      text = '';
    }
  }
  return candidates;
}
