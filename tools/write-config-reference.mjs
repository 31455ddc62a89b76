#!/usr/bin/env node
/**
 * Writes the list of configuration keys into docs/configuration.md, between its two marker lines, from the schema in dist/:
 *
 *     npm run setup && node tools/write-config-reference.mjs [--check]
 *
 * --check writes nothing and exits with 1 when the page is not what the schema says.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { RunConfigSchema } from '../dist/train/config.js';

const PAGE = fileURLToPath(new URL('../docs/configuration.md', import.meta.url));
const BEGIN = '<!-- keys: begin, written by tools/write-config-reference.mjs -->';
const END = '<!-- keys: end -->';
/** Characters a line. */
const WIDTH = 118;

/** For keys whose schema says nothing; a `*` stands for one name. */
const MEANING = {
  out: 'folder that holds the folders of runs',
  seed: 'of fresh weights, order, questions and dropout; the same seed repeats the run',
  'model.*.hiddenSize': 'width of the stack',
  'model.*.intermediateSize': 'width inside a feed-forward layer',
  'model.*.numLayers': 'blocks',
  'model.*.numHeads': 'attention heads; divides `hiddenSize`',
  'model.*.normEps': 'added to the variance (or mean square) in normalisation layers',
  'model.*.mean': 'subtracted from pixels in [0, 1], by RGB channel',
  'model.*.std': 'pixels are divided by it, by RGB channel',
  'model.fusion.type': '`gated`: each visual token is scaled by a learned gate; `concat`: no gate',
  'model.language.numKvHeads': 'key and value heads; divides `numHeads` (grouped-query attention)',
  'model.language.vocabSize': 'rows of the token embeddings; at least the tokens of the tokenizer',
  'model.language.ropeTheta': 'base of the rotary position frequencies',
  'model.language.tieWordEmbeddings': 'the output head is the token embedding table',
  'model.lora.alpha': 'the update is scaled by alpha / rank',
  'model.lora.dropout': "share of the adapter's input set to zero in training",
  'video.temporal.maxFrames': 'at most this many frames for the temporal branch, from the centres of equal segments',
  'video.temporal.fps': 'at most this many frames a second for the temporal branch, by timestamp',
  'video.resize': 'interpolation; all three average when they shrink; with `fit: squash` that of the spatial branch',
  'train.epochs': 'passes over the records',
  'train.beta1': "AdamW's decay of the mean of gradients",
  'train.beta2': "AdamW's decay of the mean of their squares",
  'train.eps': 'added to the root of the mean square',
  'train.weightDecay': 'decoupled; acts on tensors of rank 2 and more, so not on biases, norms and gates',
  'train.maxGradNorm': 'gradients whose common norm is larger are scaled down to it',
  'train.labelSmoothing': 'share of the target spread over the vocabulary',
  'train.lossReduction':
    'what weighs the same: every answer token, every answer, or the square root in between (`square`)',
  'train.evalEverySteps': 'steps between validations; the last step is always validated',
  'train.saveEverySteps': 'steps between checkpoints; a new best and the last step are always saved',
};

const matches = (pattern, key) => {
  const segments = pattern.split('.');
  const parts = key.split('.');
  return segments.length === parts.length && segments.every((segment, i) => segment === '*' || segment === parts[i]);
};

const used = new Set();

function meaningOf(key, node) {
  if (node.description !== undefined) return node.description;
  const pattern =
    Object.keys(MEANING).find((name) => name === key) ?? Object.keys(MEANING).find((name) => matches(name, key));
  if (pattern === undefined) throw new Error(`${key}: neither the schema nor MEANING says what it means`);
  used.add(pattern);
  return MEANING[pattern];
}

function rangeOf({ minimum, exclusiveMinimum, maximum }) {
  const bounds = [];
  if (minimum !== undefined) bounds.push(`>= ${minimum}`);
  if (exclusiveMinimum !== undefined) bounds.push(`> ${exclusiveMinimum}`);
  if (maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER) bounds.push(`<= ${maximum}`);
  return bounds.length === 0 ? '' : ` ${bounds.join(', ')}`;
}

function typeOf(node) {
  if (node.enum !== undefined) return node.enum.map((value) => `\`${value}\``).join(', ');
  if (node.type === 'array') {
    const item = node.items || node.prefixItems[0];
    return node.prefixItems === undefined ? `list of: ${typeOf(item)}` : `${node.prefixItems.length} x ${typeOf(item)}`;
  }
  if (node.type === 'object')
    return `number${rangeOf(node.additionalProperties)} by name: ${typeOf(node.propertyNames)}`;
  return `${node.type}${rangeOf(node)}`;
}

/** 4e-5 rather than 0.00004. */
const number = (value) => (value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential().replace('e-0', 'e-') : value);

function show(value) {
  if (typeof value === 'number') return `${number(value)}`;
  return typeof value === 'string' ? value : JSON.stringify(value).replaceAll(',', ', ');
}

/** One list item, broken between words. */
function* item(text) {
  let line = '-';
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > WIDTH) {
      yield line;
      line = ' ';
    }
    line += ` ${word}`;
  }
  yield line;
}

function* describeKey(name, key, node) {
  const fallback = node.default === undefined ? 'no default' : `default \`${show(node.default)}\``;
  yield* item(`**\`${name}\`** (${typeOf(node)}; ${fallback}): ${meaningOf(key, node)}`);
}

const isSection = (node) => node.type === 'object' && node.properties !== undefined;

/** A heading and a list of the keys that stand directly in a section, then its sections. */
function* section(node, path) {
  const entries = Object.entries(node.properties);
  const keyOf = (name) => (path === '' ? name : `${path}.${name}`);
  const keys = entries.filter(([, child]) => !isSection(child));
  if (keys.length > 0) {
    yield* [`### ${path === '' ? 'Top level' : `\`${path}\``}`, ''];
    const { description } = node;
    if (description !== undefined) yield* [`${description[0].toUpperCase()}${description.slice(1)}.`, ''];
    for (const [name, child] of keys) yield* describeKey(name, keyOf(name), child);
    yield '';
  }
  for (const [name, child] of entries) {
    if (isSection(child)) yield* section(child, keyOf(name));
  }
}

const lines = [...section(z.toJSONSchema(RunConfigSchema, { io: 'input' }), '')];
const stale = Object.keys(MEANING).filter((pattern) => !used.has(pattern));
if (stale.length > 0)
  throw new Error(`MEANING names keys that the schema lacks or describes itself: ${stale.join(', ')}`);

const page = readFileSync(PAGE, 'utf8');
const [before, rest] = page.split(BEGIN);
const after = rest?.split(END)[1];
if (after === undefined) throw new Error(`${PAGE}: the lines "${BEGIN}" and "${END}" are missing`);
const written = `${before}${BEGIN}\n\n${lines.join('\n')}\n${END}${after}`;
if (process.argv.includes('--check')) {
  if (written !== page) {
    console.error('docs/configuration.md is not what the schema says: node tools/write-config-reference.mjs');
    process.exitCode = 1;
  }
} else {
  writeFileSync(PAGE, written);
}
