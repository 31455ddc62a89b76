/** Colours of up to seven lines of a chart, named s0 to s6. */
const COLOURS = ['--accent', '--s1', '--s2', '--s3', '--s4', '--s5', '--s6'];

/** Light and dark; the seven also differ in lightness, for print and for eyes that do not tell red from green. */
export const CHART_VARIABLES = {
  light:
    '--ink: #1c2430; --muted: #5d6b7c; --line: #d9dfe7; --paper: #fff; --accent: #2457c5; --good: #14804a; ' +
    '--s1: #c4570a; --s2: #00856a; --s3: #b0418a; --s4: #8a7400; --s5: #2a8fbd; --s6: #5d6b7c;',
  dark:
    '--ink: #e6ebf2; --muted: #9aa7b8; --line: #303a48; --paper: #12171f; --accent: #7aa2ff; --good: #4ccb8a; ' +
    '--s1: #ff9d4d; --s2: #2fd0aa; --s3: #f08cc9; --s4: #e0cf4a; --s5: #7fd0f5; --s6: #a9b4c2;',
} as const;

const seriesRules = COLOURS.map(
  (colour, i) =>
    `.chart .s${i} polyline, .chart .s${i} line { stroke: var(${colour}); } .chart .s${i} circle { fill: var(${colour}); }`,
).join('\n');

/** Rules of charts, for pages and for pictures of their own. */
export const CHART_STYLE = `
.chart { font: 11px system-ui, sans-serif; }
.chart text { fill: var(--muted); } .chart .title { fill: var(--ink); font-size: 13px; font-weight: 600; }
.chart text.over { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
.chart .grid { stroke: var(--line); } .chart .guide { stroke: var(--muted); stroke-dasharray: 4 4; }
.chart .series polyline { fill: none; stroke-width: 1.8; } .chart .series line { stroke-width: 3; }
.chart .loss polyline { stroke: var(--accent); } .chart .loss circle { fill: var(--accent); }
.chart .accuracy polyline { stroke: var(--good); } .chart .accuracy circle { fill: var(--good); }
${seriesRules}
.chart .faint { opacity: 0.35; } .chart .faint polyline { stroke-width: 1; }
`;

/** The reports' style sheet; light and dark, printed as in light. */
export const STYLE = `
:root { ${CHART_VARIABLES.light} }
@media screen and (prefers-color-scheme: dark) { :root { ${CHART_VARIABLES.dark} } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 920px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { margin: 0 0 4px; } h2 { margin-top: 36px; }
.lead { font-size: 18px; color: var(--muted); margin-top: 0; }
.note { color: var(--muted); font-size: 14px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 12px; }
.card { border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; }
.card .value { font-size: 30px; font-weight: 650; color: var(--accent); }
table { border-collapse: collapse; width: 100%; font-size: 15px; }
th, td { text-align: left; padding: 6px 8px; border-bottom: 1px solid var(--line); }
tbody th { font-weight: 500; } .num { text-align: right; font-variant-numeric: tabular-nums; }
tr.sum th, tr.sum td { border-top: 2px solid var(--ink); }
.bar { background: var(--line); border-radius: 4px; height: 9px; min-width: 90px; }
.bar div { background: var(--accent); border-radius: 4px; height: 9px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 16px; margin-top: 20px; }
.chart { width: 100%; height: auto; }
${CHART_STYLE}
.clip { display: flex; flex-wrap: wrap; gap: 16px; align-items: center; border: 1px solid var(--line); border-radius: 10px; padding: 12px; margin: 12px 0; }
.clip img { max-width: 100%; image-rendering: pixelated; border-radius: 4px; } .clip ul { margin: 6px 0 0; padding-left: 20px; }
@media print { body { font-size: 12px; } .clip, table { break-inside: avoid; } }
`;
