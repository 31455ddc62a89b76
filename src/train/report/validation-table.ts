import { escapeHtml } from '../../base/html/escape-html.js';
import { CHOICE_TASKS } from '../../data/tasks/types.js';
import { scrolling, shownOf, spread, table } from './html-parts.js';
import type { RunHistory } from './run-history.js';

const MAX_ROWS = 40;

/** A row a validation, a column a task. */
export function validationTable({ validations }: Pick<RunHistory, 'validations'>): string {
  if (validations.length === 0) return '';
  const tasks = CHOICE_TASKS.filter((task) => validations.some(({ byTask }) => byTask[task] !== undefined));
  const best = Math.max(...validations.map(({ accuracy }) => accuracy));
  const shown = spread(validations, MAX_ROWS);
  const rows = shown.map(({ step, loss, accuracy, byTask }) => [
    String(step),
    loss.toFixed(3),
    accuracy === best ? `<b>${figure(accuracy)}</b>` : figure(accuracy),
    ...tasks.map((task) => figure(byTask[task])),
  ]);
  const head = ['#step', '#loss', '#mean', ...tasks.map((task) => `#${escapeHtml(task)}`)];
  const asked = validations.at(-1)?.questions ?? 0;
  return [
    `<p class="note">Accuracy in percent on ${asked} held-out questions; chance is 25. The best validation chooses the checkpoint, so its figure is too good by a little: <code>mimic eval</code> on questions that chose nothing gives a result with intervals${shownOf(shown.length, validations.length, 'events.jsonl')}.</p>`,
    scrolling(table(head, rows)),
  ].join('\n');
}

function figure(share: number | undefined): string {
  return share === undefined ? '-' : (100 * share).toFixed(1);
}
