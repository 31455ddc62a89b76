/** MODEL_CARD.md: what a reader of the Hugging Face Hub wants to know of a trained model. Copy it as README.md beside the weights. */
import { basename, extname } from 'node:path';
import { stringify } from 'yaml';
import { formatDuration } from '../../base/format.js';
import { CHOICE_TASKS } from '../../data/tasks/types.js';
import { grouped, startupTotals } from '../startup-table.js';
import { changedSettings } from './changed-settings.js';
import { percent } from './html-parts.js';
import type { RunSummary } from './report-page.js';

export function modelCard(summary: RunSummary): string {
  const { config, history } = summary;
  const start = history.starts.at(-1);
  const lines = [
    ...frontMatter(summary),
    `# ${config.name}`,
    `A MIMIC-Chat: it watches a video, answers multiple-choice questions about what its creator meant and its viewers feel, and writes comments as a viewer would. ${originLine(summary)}`,
    '## Use',
    [
      '```sh',
      `mimic choose --checkpoint DIR --video clip.mp4 --question "Which title fits?" --options A1 B1 C1 D1`,
      'mimic comment --checkpoint DIR --video clip.mp4',
      '```',
    ].join('\n'),
    'The folder holds what was trained; `base` in its config.yaml names the weights that stay as they were.',
    '## Training data',
    dataLines(summary),
    '## Training',
    trainingLines(summary),
    ...(start === undefined ? [] : [partsTable(summary)]),
    'Settings that are not the defaults:',
    settingsTable(summary),
    '## Scores',
    scores(summary),
    '## Limits',
    limits(summary),
  ];
  return `${lines.join('\n\n')}\n`;
}

function frontMatter({ config }: RunSummary): string[] {
  const base = config.base === undefined ? undefined : hubName(config.base);
  const data = config.data.train === undefined ? [] : [basename(config.data.train, extname(config.data.train))];
  const fields = {
    ...(base === undefined ? {} : { base_model: base }),
    library_name: 'mimic-chat',
    pipeline_tag: 'video-text-to-text',
    ...(data.length === 0 ? {} : { datasets: data }),
    metrics: ['accuracy'],
  };
  const notes = [
    ...(base?.includes('/') === false
      ? ['# base_model: write the id that the base has on the Hub, such as OpenGVLab/InternVL2_5-8B']
      : []),
    ...(data.length > 0 ? ['# datasets: write ids of the Hub, or remove the lines; these are names of files'] : []),
    '# license: yours to choose; the licenses of the base model and of the data bind you',
  ];
  return [`---\n${stringify(fields)}${notes.join('\n')}\n---`];
}

/** `organisation/name` where a path ends as the Hub's cache or a clone of it does, else the folder's name. */
export function hubName(path: string): string {
  const cached = /models--([^/]+?)--([^/]+)/.exec(path);
  if (cached !== null) return `${cached[1]}/${cached[2]}`;
  const [organisation, name] = path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .slice(-2);
  const isHub =
    organisation !== undefined && name !== undefined && /^(OpenGVLab|facebook|Qwen|internlm)$/.test(organisation);
  return isHub ? `${organisation}/${name}` : basename(path);
}

function originLine({ config }: RunSummary): string {
  return config.base === undefined
    ? 'It was trained from seeded weights.'
    : `It was tuned from ${code(hubName(config.base))}.`;
}

function dataLines({ config, history, badVideos }: RunSummary): string {
  const start = history.starts.at(-1);
  const weights = Object.entries(config.data.taskWeights).map(([task, weight]) => `${task} ${weight}`);
  return [
    `- ${grouped(start?.records ?? 0)} videos and records in ${code(basename(config.data.train ?? ''))}`,
    `- ${grouped(badVideos.length)} videos left out because they could not be decoded`,
    `- up to ${config.data.turnsPerVideo} questions about a video at each visit, drawn from its title, description, tags, topic, category and comments`,
    ...(weights.length === 0 ? [] : [`- how often each task is drawn, relative to 1: ${weights.join(', ')}`]),
  ].join('\n');
}

function trainingLines({ config, history }: RunSummary): string {
  const { starts, lastStep, spent } = history;
  const environment = starts.at(-1)?.environment;
  const { batchSize, accumulate } = config.train;
  return [
    `- ${grouped(lastStep)} optimizer steps of ${batchSize * accumulate} videos, ${grouped(spent.tokens)} tokens, ${formatDuration(spent.seconds)}`,
    `- AdamW, learning rate ${config.train.learningRate}, seed ${config.seed}`,
    ...(environment === undefined
      ? []
      : [
          `- mimic-chat ${environment.version}${environment.git === null ? '' : ` (commit ${environment.git.commit}${environment.git.changed ? ', with changes' : ''})`}, backend ${environment.backend} in ${environment.precision}: ${environment.reason}`,
        ]),
  ].join('\n');
}

function partsTable({ history }: RunSummary): string {
  const rows = history.starts.at(-1)?.parts ?? [];
  const { total, trained, share } = startupTotals(rows);
  return [
    '| part | parameters | training |',
    '|---|---:|---|',
    ...rows.map(({ part, parameters, training }) => `| ${part} | ${grouped(parameters)} | ${training} |`),
    `| total | ${grouped(total)} | ${grouped(trained)} trained (${share}) |`,
  ].join('\n');
}

/** Settings of the machine and its folders say nothing of the model. */
const LOCAL =
  /^(out|name|base|temporalBase|tokenizer|data\.(root|train|validation|quarantine)|train\.featureCache\.dir)$/;

function settingsTable({ config, origins }: RunSummary): string {
  const rows = changedSettings(config, origins).filter(({ key }) => !LOCAL.test(key));
  return [
    '| setting | value | default |',
    '|---|---|---|',
    ...rows.map(({ key, value, standard }) => `| ${code(key)} | ${cell(value)} | ${cell(standard)} |`),
  ].join('\n');
}

function scores({ history: { validations, end } }: RunSummary): string {
  const best = validations.find(({ step }) => step === end?.best?.step) ?? validations.at(-1);
  if (best === undefined)
    return 'No validation was made. `mimic eval` scores the model on a benchmark, with intervals.';
  const tasks = CHOICE_TASKS.filter((task) => best.byTask[task] !== undefined);
  return [
    `Accuracy on ${best.questions} held-out questions after step ${best.step}; chance is 25 %. These questions also chose the checkpoint, so the figures are too good by a little; \`mimic eval\` on questions that chose nothing gives results with intervals.`,
    [
      '| task | accuracy |',
      '|---|---:|',
      ...tasks.map((task) => `| ${task} | ${percent(best.byTask[task])} |`),
      `| mean of the tasks | ${percent(best.accuracy)} |`,
    ].join('\n'),
  ].join('\n\n');
}

function limits({ config }: RunSummary): string {
  const { spatial } = config.model;
  return [
    `- It sees ${spatial.numFrames} frames of ${spatial.imageSize} x ${spatial.imageSize} pixels${config.model.ablate === 'none' ? '' : ` (ablation: ${config.model.ablate})`}, and hears nothing.`,
    '- It imitates what viewers wrote, their errors, prejudices and tone among it; what it writes is no statement of fact.',
    '- Titles, tags and comments follow the platform, the languages and the time of its data; elsewhere its answers are worth less.',
    '- Not measured: safety, other languages, videos longer than those it was trained on.',
  ].join('\n');
}

function code(text: string): string {
  return `\`${text.replaceAll('`', "'")}\``;
}

function cell(text: string): string {
  return text.replaceAll('<', '&lt;').replaceAll('|', '\\|').replace(/\s+/g, ' ');
}
