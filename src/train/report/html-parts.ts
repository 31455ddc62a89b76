/** Small pieces of HTML that the sections of a report share. */
import { escapeHtml } from '../../base/html/escape-html.js';

/** @param cells HTML, escaped by the caller. @param head a name that begins with # is of a column of numbers */
export function table(head: readonly string[], rows: readonly (readonly string[])[], className = ''): string {
  const isNumber = head.map((name) => name.startsWith('#'));
  const name = (text: string) => text.replace(/^#/, '');
  const hasHead = head.some((text) => name(text) !== '');
  const headCells = head.map((text, i) => `<th${isNumber[i] ? ' class="num"' : ''}>${name(text)}</th>`);
  const lines = rows.map((cells) => {
    const [first = '', ...others] = cells
      .map((cell, i) => ({ cell, kind: isNumber[i] ? ' class="num"' : '' }))
      .map(({ cell, kind }, i) => (i === 0 ? `<th scope="row"${kind}>${cell}</th>` : `<td${kind}>${cell}</td>`));
    return `<tr>${first}${others.join('')}</tr>`;
  });
  const top = hasHead ? `<thead><tr>${headCells.join('')}</tr></thead>` : '';
  const kind = className === '' ? '' : ` class="${className}"`;
  return `<table${kind}>${top}<tbody>${lines.join('')}</tbody></table>`;
}

/** A table wider than the screen scrolls by itself, not the page. */
export function scrolling(content: string): string {
  return `<div class="scroll">${content}</div>`;
}

export function card(label: string, value: string, note: string): string {
  return `<div class="card"><div class="value">${value}</div><div>${label}</div><div class="note">${note}</div></div>`;
}

export function percent(share: number | undefined): string {
  return share === undefined || Number.isNaN(share) ? '-' : `${(100 * share).toFixed(1)} %`;
}

/** `: 12 of 40 are shown, all are in samples/` */
export function shownOf(shown: number, all: number, where: string): string {
  return shown === all ? '' : `: ${shown} of ${all} are shown, all are in ${where}`;
}

/** At most `count` items, the first and the last among them, evenly spaced. */
export function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))]).filter(
    (item) => item !== undefined,
  );
}

/** A path, key or list that may be broken where a reader would break it. */
export function breakable(text: string): string {
  return escapeHtml(text).replace(/[/._,]/g, '$&<wbr>');
}
