import { lineChart } from '../src/base/html/line-chart.js';

const STYLE = `
  svg { background: #fff; font: 11px system-ui, sans-serif; fill: #444 }
  .title { font-size: 13px; font-weight: 600 } .grid { stroke: #ddd }
  .series { fill: none; stroke-width: 2 } .series circle { stroke: none }
  .with { stroke: #0a7d5a } .with circle { fill: #0a7d5a }
  .without { stroke: #b3541e } .without circle { fill: #b3541e }`;

/** Peak memory of a training step against the decoder's depth, as an SVG file. */
export function memoryCurves(
  points: readonly { readonly depth: number; readonly withMiB: number; readonly withoutMiB: number }[],
): string {
  const chart = lineChart(
    [
      {
        label: 'checkpointing',
        className: 'with',
        points: points.map(({ depth, withMiB }) => ({ x: depth, y: withMiB })),
      },
      {
        label: 'whole tape',
        className: 'without',
        points: points.map(({ depth, withoutMiB }) => ({ x: depth, y: withoutMiB })),
      },
    ],
    { title: 'Peak memory of a training step above its weights', xLabel: 'decoder blocks', yLabel: 'MiB' },
  );
  return `${chart.replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" ').replace('>', `><style>${STYLE}\n</style>`)}\n`;
}
