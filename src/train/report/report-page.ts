/** report.html: a run on one page, without scripts and without anything fetched. */
import { formatBytes, formatDuration } from '../../base/format.js';
import { escapeHtml } from '../../base/html/escape-html.js';
import { htmlPage } from '../../base/html/page.js';
import type { BadVideo } from '../bad-videos/bad-video.js';
import type { RunConfig } from '../config.js';
import { grouped, startupTotals } from '../startup-table.js';
import { changedSettings } from './changed-settings.js';
import { breakable, card, percent, scrolling, shownOf, table } from './html-parts.js';
import { MEAN_STYLE, type Plot } from './plots.js';
import { probeSection } from './probe-section.js';
import type { RunFailure } from './run-events.js';
import type { RunHistory } from './run-history.js';
import { validationTable } from './validation-table.js';

export interface RunSummary {
  readonly config: RunConfig;
  /** config.sources.json. */
  readonly origins: ReadonlyMap<string, string>;
  readonly history: RunHistory;
  readonly badVideos: readonly BadVideo[];
}

const MAX_BAD_VIDEOS = 200;

const STYLE = `
.scroll { overflow-x: auto; } .scroll td, .scroll th { overflow-wrap: break-word; } .scroll td { max-width: 420px; }
.charts { grid-template-columns: repeat(auto-fit, minmax(min(380px, 100%), 1fr)); }
.card .value { font-size: 26px; }
.settings td:nth-child(4) { font-size: 0.87em; color: var(--muted); } @media screen { .settings td:nth-child(4) { white-space: nowrap; } }
td.share { background: linear-gradient(to right, color-mix(in srgb, var(--accent) 26%, transparent) var(--share), transparent var(--share)); }
td.right { border-left: 2px solid var(--good); border-right: 2px solid var(--good); } td.chosen { font-weight: 700; }
.probe { border: 1px solid var(--line); border-radius: 10px; padding: 4px 16px 12px; margin: 14px 0; }
.probe h3 { margin: 10px 0 4px; font-size: 16px; } .probe ol { list-style: upper-alpha; margin: 4px 0 8px; padding-left: 26px; }
.probe li.answer { color: var(--good); font-weight: 600; } .probe td.comment { min-width: 200px; width: 50%; }
code { font-size: 0.92em; }
.failure { border-left: 4px solid var(--s1); padding: 8px 12px; font-size: 14px; white-space: pre-wrap; overflow-wrap: anywhere; }
.warn { color: var(--s1); }
@media (max-width: 520px) { .card .value { font-size: 22px; } table { font-size: 13px; } th, td { padding: 5px 6px; } .probe { padding: 2px 10px 8px; } }
@media print { main { max-width: none; padding: 0; } h2 { break-after: avoid; } .chart, .card, tr { break-inside: avoid; } .probe, table { break-inside: auto; } .scroll { overflow: visible; } .scroll table { font-size: 10px; } .scroll td:not(.num), .settings th { overflow-wrap: anywhere; } .scroll td, .scroll th { padding: 3px 4px; } .charts { grid-template-columns: 1fr 1fr; } .cards { grid-template-columns: repeat(4, 1fr); } }
${MEAN_STYLE}`;

export function reportPage(summary: RunSummary, plots: readonly Plot[]): string {
  const { config, history } = summary;
  const body = [
    `<h1>${escapeHtml(config.name)}</h1>`,
    `<p class="lead">${escapeHtml(stateLine(history))}</p>`,
    ...(history.failure === null ? [] : [failureNote(history.failure)]),
    cards(history),
    '<h2>Curves</h2>',
    `<div class="charts">${plots.map(({ svg }) => svg).join('')}</div>`,
    ...section('Validation', validationTable(history)),
    ...section('Probe answers over time', probeSection(history.probes)),
    ...section('Settings that are not the defaults', settingsTable(summary)),
    ...section('What is trained', partsTable(history)),
    ...section('Data', dataSection(summary)),
    ...section('Where it ran', environmentSection(history)),
  ];
  return htmlPage({ title: `${config.name}: training report`, body, style: STYLE });
}

function section(title: string, content: string): string[] {
  return content === '' ? [] : [`<h2>${escapeHtml(title)}</h2>`, content];
}

/** The message has lines of its own. */
function failureNote({ code, message }: RunFailure): string {
  return `<pre class="failure"><b>${escapeHtml(code)}</b> ${escapeHtml(message)}</pre>`;
}

function stateLine({ end, failure, lastStep, starts, spent }: RunHistory): string {
  const total = starts.at(-1)?.totalSteps ?? lastStep;
  const state =
    failure !== null
      ? 'Failed'
      : end === null
        ? 'Under way'
        : `${end.reason[0]?.toUpperCase() ?? ''}${end.reason.slice(1)}`;
  const again = starts.length > 1 ? `, started ${starts.length} times` : '';
  return `${state}: step ${grouped(lastStep)} of ${grouped(total)} after ${formatDuration(spent.seconds)} of training${again}.`;
}

function cards({ validations, spent, end, steps }: RunHistory): string {
  const best = validations.reduce<(typeof validations)[number] | undefined>(
    (top, point) => (top === undefined || point.accuracy > top.accuracy ? point : top),
    undefined,
  );
  const recent = steps
    .list()
    .filter(({ values: [loss] }) => Number.isFinite(loss))
    .slice(-20);
  const counted = recent.reduce((sum, point) => sum + point.steps, 0);
  const loss = recent.reduce((sum, point) => sum + (point.values[0] ?? Number.NaN) * point.steps, 0) / counted;
  const reporting = end?.reportSec !== undefined && end.wallSec ? end.reportSec / end.wallSec : undefined;
  const shown = [
    ...(best === undefined
      ? []
      : [card('best validation accuracy', percent(best.accuracy), `mean of the tasks, after step ${best.step}`)]),
    ...(counted === 0
      ? []
      : [
          card(
            'training loss',
            loss.toFixed(3),
            counted === 1 ? 'of the only step' : `mean of the last ${counted} steps`,
          ),
        ]),
    card(
      'tokens a second',
      grouped(Math.round(spent.tokens / spent.seconds || 0)),
      `${(spent.clips / spent.seconds || 0).toFixed(1)} clips/s`,
    ),
    card(
      'waiting for data',
      percent(spent.waitSec / spent.seconds || 0),
      reporting === undefined
        ? 'of the time in steps'
        : `of the time in steps; reports took ${percent(reporting)} of all`,
    ),
  ];
  return `<div class="cards">${shown.join('')}</div>`;
}

function settingsTable({ config, origins }: RunSummary): string {
  const rows = changedSettings(config, origins).map(({ key, value, standard, origin }) => [
    `<code>${breakable(key)}</code>`,
    breakable(value),
    breakable(standard),
    breakable(origin),
  ]);
  return scrolling(table(['setting', 'value', 'default', 'set by'], rows, 'settings'));
}

function partsTable({ starts }: RunHistory): string {
  const rows = starts.at(-1)?.parts;
  if (rows === undefined) return '';
  const { total, trained, share } = startupTotals(rows);
  const lines = rows.map(({ part, parameters, training, note }) => [
    escapeHtml(part),
    grouped(parameters),
    training === 'LoRA' || training === 'full' ? `<b>${training}</b>` : training,
    escapeHtml(note),
  ]);
  const sum = ['total', grouped(total), `${grouped(trained)} trained (${share})`, ''];
  return scrolling(table(['part', '#parameters', 'training', ''], [...lines, sum]));
}

function dataSection({ config, history, badVideos }: RunSummary): string {
  const start = history.starts.at(-1);
  const { batchSize, accumulate } = config.train;
  const facts = [
    ['training records', `<code>${breakable(config.data.train ?? '-')}</code>`, grouped(start?.records ?? 0)],
    [
      'validation questions',
      `<code>${breakable(config.data.validation ?? '-')}</code>`,
      grouped(start?.questions ?? 0),
    ],
    ['videos an optimizer step', '', grouped(batchSize * accumulate)],
    ['tokens trained on', 'visual ones included', grouped(history.spent.tokens)],
    ['videos left out', `<code>data.badVideo: ${config.data.badVideo}</code>`, grouped(badVideos.length)],
  ];
  const shown = badVideos
    .slice(0, MAX_BAD_VIDEOS)
    .map(({ id, path, code, step }) => [
      ...[escapeHtml(id), breakable(path), `<code>${escapeHtml(code)}</code>`],
      step === null ? 'given list' : grouped(step),
    ]);
  return [
    scrolling(table(['', '', '#'], facts)),
    ...(shown.length === 0
      ? []
      : [
          `<p class="note">Videos left out${shownOf(shown.length, badVideos.length, 'quarantine.jsonl')}</p>`,
          scrolling(table(['id', 'path', 'reason', '#found at step'], shown)),
        ]),
  ].join('\n');
}

function environmentSection({ starts }: RunHistory): string {
  const environment = starts.at(-1)?.environment;
  if (environment === undefined) return '';
  const { cpu, git } = environment;
  const rows = [
    [
      'backend',
      `${environment.backend}${environment.device === null ? '' : ` on ${environment.device}`}, ${environment.precision}`,
    ],
    ['why', environment.reason],
    ...(environment.gemm === null ? [] : [['matrix products', environment.gemm]]),
    ['processor', `${cpu.model}, ${cpu.usable} of ${cpu.cores} cores usable, ${formatBytes(environment.memoryBytes)}`],
    ...(environment.ranks > 1 ? [['processes', String(environment.ranks)]] : []),
    ['software', `mimic-chat ${environment.version}, Node ${environment.node}, ${environment.platform}`],
    ...(git === null ? [] : [['commit', `${git.commit}${git.changed ? ', with changes' : ''}`]]),
    ['command', environment.commandLine.join(' ')],
    ['folder', environment.folder],
  ];
  const lines = rows.map(([name = '', value = '']) => [escapeHtml(name), breakable(value)]);
  const again = starts.map(
    ({ time, firstStep }) => `${time.slice(0, 19).replace('T', ' ')} UTC after step ${grouped(firstStep)}`,
  );
  const started = starts.length < 2 ? [] : [['started', again.slice(-20).join('; ')]];
  return scrolling(table(['', ''], [...lines, ...started]));
}
