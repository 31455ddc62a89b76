/** The report's style sheet; light and dark, prints. */
export const STYLE = `
:root { --ink: #1c2430; --muted: #5d6b7c; --line: #d9dfe7; --paper: #fff; --accent: #2457c5; --good: #14804a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6ebf2; --muted: #9aa7b8; --line: #303a48; --paper: #12171f; --accent: #7aa2ff; --good: #4ccb8a; }
}
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
.chart { width: 100%; height: auto; font: 11px system-ui, sans-serif; }
.chart text { fill: var(--muted); } .chart .title { fill: var(--ink); font-size: 13px; font-weight: 600; }
.chart .grid { stroke: var(--line); } .chart .guide { stroke: var(--muted); stroke-dasharray: 4 4; }
.chart .series polyline { fill: none; stroke-width: 1.8; } .chart .series line { stroke-width: 3; }
.chart .loss polyline { stroke: var(--accent); } .chart .loss circle { fill: var(--accent); }
.chart .accuracy polyline { stroke: var(--good); } .chart .accuracy circle { fill: var(--good); }
.clip { display: flex; flex-wrap: wrap; gap: 16px; align-items: center; border: 1px solid var(--line); border-radius: 10px; padding: 12px; margin: 12px 0; }
.clip img { max-width: 100%; image-rendering: pixelated; border-radius: 4px; } .clip ul { margin: 6px 0 0; padding-left: 20px; }
@media print { body { font-size: 12px; } .clip, table { break-inside: avoid; } }
`;
