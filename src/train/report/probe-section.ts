import { escapeHtml } from '../../base/html/escape-html.js';
import { LETTERS } from '../../data/tasks/wording.js';
import { scrolling, shownOf, spread } from './html-parts.js';
import { chosenOption } from './probe.js';
import type { ProbeAnswer, ProbePoint } from './run-events.js';

const MAX_POINTS = 10;
/** Characters of a text shown: the page stays small however much a model writes. */
const MAX_TEXT = 300;

/** A box a question: how its answer changed from validation to validation. */
export function probeSection(points: readonly ProbePoint[]): string {
  const questions = points.at(-1)?.answers ?? [];
  if (questions.length === 0) return '';
  const shown = spread(points, MAX_POINTS);
  const boxes = questions.map((question) => {
    const rows = shown.flatMap(({ step, answers }) => {
      const answer = answers.find(({ id }) => id === question.id);
      return answer === undefined ? [] : [answerRow(step, answer)];
    });
    const options = question.options.map(
      (option, i) => `<li${i === question.answer ? ' class="answer"' : ''}>${clipped(option)}</li>`,
    );
    const head = question.options.map(
      (_, i) => `<th class="num">${LETTERS[i]}${i === question.answer ? ' ✓' : ''}</th>`,
    );
    return `<section class="probe"><h3>${escapeHtml(question.task)} <span class="note">${clipped(question.video)}</span></h3><ol>${options.join('')}</ol>${scrolling(
      `<table><thead><tr><th class="num">step</th>${head.join('')}<th>comment</th></tr></thead><tbody>${rows.join('')}</tbody></table>`,
    )}</section>`;
  });
  return [
    `<p class="note">The same held-out questions after each validation: the probability of each option (✓ is right, bold is chosen), and a comment written word by likeliest word${shownOf(shown.length, points.length, 'samples/')}.</p>`,
    ...boxes,
  ].join('\n');
}

function answerRow(step: number, answer: ProbeAnswer): string {
  const chosen = chosenOption(answer);
  const cells = answer.probabilities.map((probability, i) => {
    const kind = ['num share', i === answer.answer ? 'right' : '', i === chosen ? 'chosen' : '']
      .filter(Boolean)
      .join(' ');
    return `<td class="${kind}" style="--share:${(100 * probability).toFixed(0)}%">${probability.toFixed(2)}</td>`;
  });
  return `<tr><th scope="row" class="num">${step}</th>${cells.join('')}<td class="comment">${answer.comment === '' ? '<span class="note">(no word)</span>' : clipped(answer.comment)}</td></tr>`;
}

function clipped(text: string): string {
  return escapeHtml(text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}...` : text);
}
