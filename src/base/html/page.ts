import { escapeHtml } from './escape-html.js';
import { STYLE } from './style.js';

/** A report as one HTML file: nothing in it is fetched or run. @param style rules beside the common ones */
export function htmlPage({
  title,
  body,
  style = '',
}: {
  title: string;
  body: readonly string[];
  style?: string;
}): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><style>${STYLE}${style}</style></head>
<body><main>${body.join('\n')}</main></body></html>
`;
}
