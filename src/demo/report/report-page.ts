/** demo/report.html: one file, no script, nothing fetched. */
import { formatDuration } from '../../base/format.js';
import { escapeHtml } from '../../base/html/escape-html.js';
import { lineChart } from '../../base/html/line-chart.js';
import { htmlPage } from '../../base/html/page.js';
import type { Accuracy, Scores } from '../../eval/score.js';
import { frameStrip } from './frame-strip.js';
import type { DemoReport, StageCurve } from './report-data.js';

export async function reportPage(report: DemoReport): Promise<string> {
  const { model, questions } = report.scores;
  const axis = (name: string) => `${(100 * (model.axes[name]?.accuracy ?? Number.NaN)).toFixed(1)} %`;
  const body = [
    '<h1>MIMIC-Chat demo</h1>',
    `<p class="lead">A tiny MIMIC-Chat, trained from scratch in ${formatDuration(report.seconds)} (backend ${escapeHtml(report.backend.name)}:
     ${escapeHtml(report.backend.reason)}), answers ${questions} questions about ${report.clips['test'] ?? 0} clips it never saw.</p>`,
    `<div class="cards">${card('spatial questions', axis('spatial'), 'visible in any frame')}${card('temporal questions', axis('temporal'), 'visible only in the full sequence')}${card('style questions', axis('style'), 'live in the language')}</div>`,
    '<h2>The seven tasks</h2>',
    scoreTable(report),
    '<p class="note">95 % intervals by bootstrap over videos. Majority answers with the most frequent letter. Without video is the same model with the text alone: style is solvable from text by design, the other two axes are not.</p>',
    '<h2>Training</h2>',
    stageTable(report),
    `<div class="charts">${report.curves.map(stageChart).join('')}</div>`,
    '<h2>Comments it writes</h2>',
    '<p class="note">Eight of the frames of each clip (every fourth one: the eight that the spatial branch sees look alike on purpose), what is true of it, and three comments sampled at temperature 0.8.</p>',
    ...(await Promise.all(report.comments.map(commentCard))),
  ];
  return htmlPage({ title: 'MIMIC-Chat demo report', body });
}

function card(label: string, value: string, note: string): string {
  return `<div class="card"><div class="value">${value}</div><div>${label}</div><div class="note">${note}</div></div>`;
}

function scoreTable({ scores: { model, textOnly, majority } }: DemoReport): string {
  const row = (
    label: string,
    of: (scores: Scores) => Pick<Accuracy, 'accuracy' | 'low' | 'high'> | undefined,
    group = '',
  ) => {
    const own = of(model);
    const cell = (scores: Scores) => percent(of(scores)?.accuracy);
    const interval = own === undefined ? '' : `${percent(own.low)} to ${percent(own.high)}`;
    const bar = `<div class="bar"><div style="width:${(100 * (own?.accuracy ?? 0)).toFixed(1)}%"></div></div>`;
    return `<tr class="${group}"><th scope="row">${escapeHtml(label)}</th><td class="num"><b>${percent(own?.accuracy)}</b></td><td>${bar}</td><td class="num">${interval}</td><td class="num">${cell(textOnly)}</td><td class="num">${cell(majority)}</td><td class="num">25.0</td></tr>`;
  };
  const tasks = Object.keys(model.tasks).map((task) => row(task, (scores) => scores.tasks[task]));
  const axes = Object.keys(model.axes).map((name) => row(`axis: ${name}`, (scores) => scores.axes[name], 'axis'));
  const macro = row('macro (mean of tasks)', (scores) => scores.macro, 'sum');
  return `<table><thead><tr><th>task</th><th class="num">accuracy %</th><th></th><th class="num">95 %</th><th class="num">without video</th><th class="num">majority</th><th class="num">chance</th></tr></thead><tbody>${tasks.join('')}${macro}${axes.join('')}</tbody></table>`;
}

function stageTable(report: DemoReport): string {
  const rows = report.stages.map(({ name, steps, accuracy, gate, passed }) => {
    const seconds = report.curves.find((curve) => curve.name === name)?.seconds ?? 0;
    return `<tr><th scope="row">${escapeHtml(name)}</th><td class="num">${steps}</td><td class="num">${percent(accuracy)}</td><td class="num">${percent(gate)}</td><td>${passed ? 'passed' : 'not passed'}</td><td class="num">${formatDuration(seconds)}</td></tr>`;
  });
  return `<table><thead><tr><th>foundation stage</th><th class="num">steps</th><th class="num">held-out accuracy %</th><th class="num">gate</th><th></th><th class="num">time</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

function stageChart({ name, points }: StageCurve): string {
  const losses = points.filter(({ loss }) => Number.isFinite(loss));
  const every = Math.max(1, Math.floor(losses.length / 120));
  const loss = losses.filter((_, i) => i % every === 0).map(({ step, loss: y }) => ({ x: step, y }));
  const accuracy = points.flatMap(({ step, accuracy: y }) => (y === undefined ? [] : [{ x: step, y }]));
  const guides = [{ y: 0.25, label: 'chance' }];
  return (
    lineChart([{ label: 'loss', points: loss, className: 'loss' }], {
      title: `${name}: loss`,
      xLabel: 'step',
      yLabel: 'loss',
    }) +
    lineChart([{ label: 'accuracy', points: accuracy, className: 'accuracy' }], {
      ...{ title: `${name}: held-out accuracy`, xLabel: 'step', yLabel: 'accuracy', yRange: [0, 1], guides },
    })
  );
}

async function commentCard({ clip, comments }: DemoReport['comments'][number]): Promise<string> {
  const strip = await frameStrip(clip.video.temporal, 8);
  const facts = Object.entries(clip.facts)
    .map(([kind, value]) => `${kind} <b>${escapeHtml(value)}</b>`)
    .join(', ');
  const items = comments.map((comment) => `<li>${escapeHtml(comment)}</li>`).join('');
  return `<section class="clip"><img src="${strip}" alt="the first eight frames of ${escapeHtml(clip.record.id)}"><div><div class="note">${facts}</div><ul>${items}</ul></div></section>`;
}

function percent(share: number | undefined): string {
  return share === undefined || Number.isNaN(share) ? '-' : (100 * share).toFixed(1);
}
